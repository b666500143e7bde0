// A Node addon, and a shared object that it finds by $ORIGIN.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileC } from '../build/compile.ts';

export const include = fileURLToPath(new URL('../../node_modules/node-api-headers/include', import.meta.url));
const source = `
  #include <node_api.h>
  #include <stdint.h>
  int beside(void);
  static int calls; /* of the process: one for all threads */
  static napi_value answer(napi_env env, napi_callback_info info) {
    napi_value value;
    napi_create_int32(env, beside() * 100 + ++calls, &value);
    return value;
  }
  static napi_value where(napi_env env, napi_callback_info info) {
    napi_value value;
    napi_create_bigint_uint64(env, (uint64_t)(uintptr_t)beside, &value);
    return value;
  }
  NAPI_MODULE_INIT() {
    napi_value function;
    napi_create_function(env, "answer", NAPI_AUTO_LENGTH, answer, 0, &function);
    napi_set_named_property(env, exports, "answer", function);
    napi_create_function(env, "where", NAPI_AUTO_LENGTH, where, 0, &function);
    napi_set_named_property(env, exports, "where", function);
    return exports;
  }`;

/** The addon in lib/addon.node of a directory, and what it needs in deps/libbeside.so, which answers `value`. */
export function addonIn(
  directory: string,
  value = 4,
  more: string[] = [],
): { addon: string; beside: string } {
  const [lib, deps] = [join(directory, 'lib'), join(directory, 'deps')];
  for (const path of [lib, deps]) mkdirSync(path, { recursive: true });
  const beside = compileC(`int beside(void) { return ${value}; }`, {
    ...{ name: 'libbeside.so', kind: 'shared', dir: deps },
    flags: ['-Wl,-soname,libbeside.so', ...more],
  });
  const addon = compileC(source, {
    ...{ name: 'addon.node', kind: 'shared', dir: lib, libraries: [beside] },
    flags: [`-I${include}`, '-Wl,-rpath,$ORIGIN/../deps', ...more],
  });
  return { addon, beside };
}

/** Calls it, by the path it is given or where it is, in two threads. */
export const threads = `const { Worker, isMainThread } = require('node:worker_threads');
  const path = process.argv[2] ?? require('node:path').join(__dirname, 'lib/addon.node');
  console.log(require(path).answer());
  if (isMainThread) new Worker(__filename, { argv: process.argv.slice(2) });`;

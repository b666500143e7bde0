// Node addons mapped in place. Node gives each process.dlopen an environment (napi_env) of its own; insitu's addon
// registers once more and hands that environment on to the init function of the one that was mapped.
import { LoadError } from '../../loader/error.ts';
import { type ImageHandle, native, prebuilt } from '../../loader/native.ts';

export function instantiateAddon(handle: ImageHandle, path: string): unknown {
  if (!native.setPendingAddon(handle))
    throw new LoadError(
      'ERR_FORMAT',
      path,
      'exports no napi_register_module_v1; want a Node-API addon (one of the V8 API needs process.dlopen)',
    );
  const module = { exports: {} };
  process.dlopen(module, prebuilt('insitu.node'));
  return module.exports;
}

// Node addons that insitu has mapped. Node gives each process.dlopen an environment (napi_env) of its own; insitu's addon
// registers once more and hands that environment on to the init function of the one that was mapped. For addons of the V8 API
// forward.node does so, with exports and context.
import { LoadError } from '../../loader/error.ts';
import { type ImageHandle, native, prebuilt } from '../../loader/native.ts';

/** @returns its exports @throws LoadError ERR_FORMAT; what the addon throws when it starts */
export function instantiateAddon(
  handle: ImageHandle,
  path: string,
  module: { exports: unknown } = { exports: {} },
): unknown {
  if (native.setPendingAddon(handle)) process.dlopen(module, prebuilt('insitu.node'));
  else {
    const stub = prebuilt('forward.node');
    const built = native.setPendingV8Addon(handle, stub, Number(process.versions.modules));
    if (built !== true) throw refused(path, built);
    process.dlopen(module, stub);
  }
  return module.exports;
}

function refused(path: string, version: number): LoadError {
  const wanted = process.versions.modules;
  return version === 0
    ? new LoadError(
        'ERR_FORMAT',
        path,
        `exports no napi_register_module_v1, and nothing for NODE_MODULE_VERSION ${wanted}; want a Node addon`,
      )
    : new LoadError(
        'ERR_FORMAT',
        path,
        `was built for NODE_MODULE_VERSION ${version}; want ${wanted} (Node ${process.version})`,
      );
}

// Where a store has components (Component Model): their core modules are entries like any others, what binds them is here.
//
//   components/SHA256/           of one component
//     core-0.wasm …              its core modules; the same files as their entries' sources, where that can be
//     installed-from             the paths it was installed from, one a line
//     component.FORMAT.mjs       instantiates them (transpile.ts); it comes last: where it is, all is
//   index/component.FORMAT/      symbolic links, never followed, from a file that was seen before to its SHA256

/** Of the code that instantiates: another one is made anew. */
export const COMPONENT_FORMAT = 1;

export const componentPath = (root: string, sha256: string): string => `${root}/components/${sha256}`;
export const bindingPath = (root: string, sha256: string): string =>
  `${componentPath(root, sha256)}/component.${COMPONENT_FORMAT}.mjs`;
export const componentIndex = (root: string): string => `${root}/index/component.${COMPONENT_FORMAT}`;
export const corePath = (root: string, sha256: string, index: number): string =>
  `${componentPath(root, sha256)}/core-${index}.wasm`;

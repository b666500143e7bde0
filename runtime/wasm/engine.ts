// What compiled code takes to run: loaded with insitu/wasm, or by the hook with the first module that has an image.
export { customSections } from './custom-sections.ts';
export { Global } from './global.ts';
export { openFound, openImage, openImages } from './image.ts';
export { exportsOf, importsOf, instantiate, LeftToV8 } from './module.ts';
export { readStub, stubFor } from './stub.ts';
export { Table } from './table.ts';
export { exportsWithOriginals, functionForV8 } from './twins.ts';
export { importsForV8, readsForV8 } from './v8-instance.ts';

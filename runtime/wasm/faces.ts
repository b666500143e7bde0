// What a program sees of WebAssembly that costs next to nothing as long as no module has an image.
export {
  compile,
  compileStreaming,
  instantiate,
  instantiateStreaming,
  promising,
  validate,
} from './calls.ts';
export { Instance } from './instance-class.ts';
export { Memory } from './memory-class.ts';
export { Module } from './module-class.ts';

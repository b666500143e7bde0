// A Module of an image, for V8: one of V8's own, so that it is cloned, posted, compared and printed like others. It says
// which image it stands for in a section that holds a secret of this process: a module from outside cannot claim to be one.
// V8 itself cannot instantiate it: its one import says why.
import { wasm } from '../../loader/wasm.ts';
import { leb, section } from './encode.ts';
import { STUB_SECTION } from './module-class.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const text = (value: string): number[] => {
  const bytes = Buffer.from(value);
  return [...leb(bytes.length), ...bytes];
};

export interface StandsFor {
  image: string;
  source: string | null;
}

let start: number[] | undefined;

/** No result, no parameters; one function that nobody has. */
function startOfStub(): number[] {
  start ??= [
    ...HEADER,
    ...section(1, [1, 0x60, 0, 0]),
    ...section(2, [
      1,
      ...text('this module runs in place'),
      ...text('want insitu/register preloaded here'),
      0,
      0,
    ]),
  ];
  return start;
}

/** Its bytes. */
export function stubFor({ image, source }: StandsFor): Uint8Array {
  const content = JSON.stringify([wasm.wasmSecret(), image, source]);
  return Uint8Array.from([...startOfStub(), ...section(0, [...text(STUB_SECTION), ...Buffer.from(content)])]);
}

/** Undefined of one that was not made in this process. */
export function readStub(module: V8Type.Module): StandsFor | undefined {
  try {
    const [content] = V8.Module.customSections(module, STUB_SECTION);
    const [secret, image, source] = JSON.parse(Buffer.from(content as ArrayBuffer).toString()) as [
      unknown,
      string,
      string | null,
    ];
    return secret === wasm.wasmSecret() ? { image, source } : undefined;
  } catch {
    return undefined;
  }
}

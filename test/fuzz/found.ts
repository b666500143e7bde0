// What fuzzing found, cut down to patches of a minimal image; each stays a seed.
import { minimalLibrary, minimalProgram } from '../build/elf.ts';

export interface Found {
  name: string;
  bytes: () => Buffer;
  /** See native/fuzz/knobs.h. */
  knobs: number[];
}

const closely = 128;

export const found: Found[] = [
  {
    // place_segments left it readable and writable whatever was planned.
    name: 'zero fill that is read-only stays writable',
    bytes: () => minimalProgram({ kind: 'static' }).patch({ 'phdr[0].p_filesz': 0 }).bytes(),
    knobs: [closely],
  },
  {
    // Mapped from the wrong place: congruence was asked of the image's offset, not of the backing's.
    name: 'image that starts inside a unit of mapping',
    bytes: () => minimalProgram({ kind: 'static' }).bytes(),
    knobs: [8 + 32],
  },
  {
    // check_plan took a copy-on-write segment that ends pages behind its file bytes; clearing them filled memory.
    name: 'plan of 4 GiB of copy-on-write behind the file',
    bytes: () =>
      minimalLibrary()
        .patch({ 'phdr[2].p_memsz': 1n << 32n })
        .bytes(),
    knobs: [0, 0, 0, 4, 11, 1, 0],
  },
  {
    // On the page of an earlier relocation only the end of the segment was compared.
    name: 'RELATIVE relocation in front of its segment on the same page',
    bytes: () => {
      const image = minimalLibrary({ initArray: true });
      const shorter = (name: string) => ({ [name]: image.get(name) - 16n });
      const later = (name: string) => ({ [name]: image.get(name) + 16n });
      const patched = image.patch({
        ...later('phdr[2].p_offset'),
        ...later('phdr[2].p_vaddr'),
        ...shorter('phdr[2].p_filesz'),
        ...shorter('phdr[2].p_memsz'),
        ...later('phdr[PT_DYNAMIC].p_offset'),
        ...later('phdr[PT_DYNAMIC].p_vaddr'),
        ...shorter('phdr[PT_DYNAMIC].p_filesz'),
        'rela[1].r_offset': image.get('phdr[2].p_vaddr'),
      });
      return patched.bytes();
    },
    knobs: [0],
  },
];

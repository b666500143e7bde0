// What fuzzing found, cut down to a patch of a minimal image; each stays a seed. See native/fuzz/knobs.h for e_ident.

export interface Found {
  name: string;
  bytes: () => Buffer;
}

export const found: Found[] = [];

// Binary modules put together byte by byte, malformed ones too.

export type Bytes = readonly number[];

/** Unsigned LEB128. */
export function u32(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

export const name = (text: string): Bytes => [...u32(Buffer.byteLength(text)), ...Buffer.from(text)];
export const vector = (...items: Bytes[]): Bytes => [...u32(items.length), ...items.flat()];
export const section = (id: number, ...content: Bytes[]): Bytes => {
  const bytes = content.flat();
  return [id, ...u32(bytes.length), ...bytes];
};
export const preamble: Bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export const moduleOf = (...sections: Bytes[]): Uint8Array =>
  Uint8Array.from([...preamble, ...sections.flat()]);

/** Written as in the suite: hexadecimal bytes, whitespace between them as one likes. */
export const hex = (text: string): Bytes => [...Buffer.from(text.replace(/\s/g, ''), 'hex')];

export const types = (...each: Bytes[]): Bytes => section(1, vector(...each));
/** A function type. */
export const signature = (params: Bytes, results: Bytes): Bytes => [
  0x60,
  ...u32(params.length),
  ...params,
  ...u32(results.length),
  ...results,
];
export const bodies = (...each: Bytes[]): Bytes =>
  section(10, vector(...each.map((body) => [...u32(body.length), ...body])));

export interface Around {
  params?: Bytes;
  results?: Bytes;
  /** Sections that stand between the function section and the code section. */
  between?: Bytes[];
  /** Those of the types after the function's own, which is 0. */
  types?: Bytes[];
}

/** A module of one function, whose body is `code` and an end; it has no locals. */
export function moduleOfBody(code: Bytes, around: Around = {}): Uint8Array {
  const { params = [], results = [], between = [] } = around;
  return moduleOf(
    types(signature(params, results), ...(around.types ?? [])),
    section(3, vector([0])),
    ...between,
    bodies([0, ...code, 0x0b]),
  );
}

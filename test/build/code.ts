// Machine code (x86-64) of the images that elf.ts writes, instruction by instruction.

/** Machine code; `target` names what the 32-bit displacement between `before` and `after` leads to (RIP-relative). */
export interface Instruction {
  before: number[];
  target?: string;
  after?: number[];
}

export interface CodeFunction {
  name: string;
  exported: boolean;
  instructions: Instruction[];
}

interface CodeOptions {
  /** A program's entry; absent: a library. */
  entry?: string;
  imports?: { name: string }[];
  tls?: boolean;
  initArray?: boolean;
}

const ret: Instruction = { before: [0xc3] };

const answer: CodeFunction = {
  name: 'answer',
  exported: true,
  instructions: [{ before: [0xb8, 42, 0, 0, 0] }, ret], // mov $42, %eax
};

const answerByPointer: CodeFunction = {
  name: 'answer_by_pointer',
  exported: true,
  instructions: [{ before: [0xff, 0x25], target: 'pointer' }], // jmp *pointer(%rip)
};

const exit42: CodeFunction = {
  name: 'start',
  exported: false,
  // mov $42, %edi; mov $60, %eax; syscall
  instructions: [{ before: [0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05] }],
};

/** The functions that an image of these options needs. */
export function functionsOf(spec: CodeOptions): CodeFunction[] {
  const functions: CodeFunction[] = spec.entry === undefined ? [answer, answerByPointer] : [exit42];
  for (const { name } of spec.imports ?? []) {
    const instructions = [{ before: [0xff, 0x25], target: `got.${name}` }]; // jmp *got(%rip)
    functions.push({ name: `call_${name}`, exported: true, instructions });
  }
  if (spec.tls) {
    const instructions = [{ before: [0x48, 0x8d, 0x05], target: 'tls_pair' }, ret]; // lea tls_pair(%rip), %rax
    functions.push({ name: 'tls_index', exported: true, instructions });
  }
  if (spec.initArray) {
    const load = { before: [0x8b, 0x05], target: 'data' }; // mov data(%rip), %eax
    const store = { before: [0xc7, 0x05], target: 'data', after: [7, 0, 0, 0] }; // movl $7, data(%rip)
    functions.push({ name: 'state', exported: true, instructions: [load, ret] });
    functions.push({ name: 'initialize', exported: false, instructions: [store, ret] });
  }
  return functions;
}

export function encodedSize({ before, target, after = [] }: Instruction): number {
  return before.length + (target === undefined ? 0 : 4) + after.length;
}

/** Machine code of an instruction that lies at the link-time address `at`. */
export function encode(instruction: Instruction, at: bigint, addressOf: (name: string) => bigint): Buffer {
  const { before, target, after = [] } = instruction;
  if (target === undefined) return Buffer.from(before);
  const displacement = Buffer.alloc(4);
  displacement.writeInt32LE(Number(addressOf(target) - at) - encodedSize(instruction));
  return Buffer.concat([Buffer.from(before), displacement, Buffer.from(after)]);
}

// Loads and stores (core specification 4.4.7), and where an access goes.
import { ValueType } from '../module.ts';
import type { Operator } from '../opcodes.ts';
import { C_TYPE } from '../signature.ts';
import { type MemoryArgument, memoryArgument } from './immediates.ts';
import type { FunctionWriter } from './writer.ts';

/** From here on an offset and a 32-bit address together can reach behind the guard pages with an access's last bytes. */
const CHECKED_OFFSET = 0xffff_ff00n;

function is64(w: FunctionWriter, memory: number): boolean {
  return w.module.memories[memory]?.is64 === true;
}

function addressType(w: FunctionWriter, memory: number): ValueType {
  return is64(w, memory) ? ValueType.i64 : ValueType.i32;
}

function base(w: FunctionWriter, memory: number): string {
  if (is64(w, memory)) return `in->m[${memory}]->base`;
  w.bases.add(memory);
  return `b${memory}`;
}

/** An address on the stack. Where it is checked it is used twice. */
export function popAddress(w: FunctionWriter, { memory, offset }: MemoryArgument): string {
  return is64(w, memory) || offset >= CHECKED_OFFSET ? w.popName() : w.popText();
}

/**
 * Base and bytes from it of an access of so many bytes, checked. With 32-bit addresses the guard pages check (V8 keeps
 * 8 GiB behind a memory's begin), but not the last bytes that an offset near 4 GiB can reach.
 */
export function place(
  w: FunctionWriter,
  { memory, offset }: MemoryArgument,
  address: string,
  bytes: number,
): { base: string; at: string } {
  const wide = is64(w, memory);
  if (wide || offset >= CHECKED_OFFSET) checkBounds(w, memory, address, offset, bytes);
  const beyond = offset === 0n ? '' : ` + ${offset}ull`;
  return { base: base(w, memory), at: `${wide ? '' : '(u64)'}${address}${beyond}` };
}

/** `address` is a name. */
export function checkBounds(
  w: FunctionWriter,
  memory: number,
  address: string,
  offset: bigint,
  bytes: number,
): void {
  w.line(`CHECK(in->m[${memory}], ${address}, ${offset}ull, ${bytes});`);
}

export function memoryAccess(w: FunctionWriter, operator: Operator): void {
  if (operator.results.length === 0) store(w, operator);
  else load(w, operator);
}

function store(w: FunctionWriter, { name, accessBytes }: Operator): void {
  const argument = memoryArgument(w.reader);
  const value = w.popText();
  const { base, at } = place(w, argument, popAddress(w, argument), accessBytes);
  const unit = name.startsWith('f') ? name.slice(0, 3) : `u${accessBytes * 8}`;
  w.effect(`AT(${unit}, ${base}, ${at}) = (${unit})${value};`);
}

function load(w: FunctionWriter, { name, results, accessBytes }: Operator): void {
  const argument = memoryArgument(w.reader);
  const { base, at } = place(w, argument, popAddress(w, argument), accessBytes);
  const result = results[0] as ValueType;
  if (name.startsWith('f')) {
    const loaded = w.pushTemporary(result, `AT(${name.slice(0, 3)}, ${base}, ${at})`);
    w.line(`KEEP_F(${loaded});`);
    return;
  }
  const signed = name.endsWith('_s');
  const unit = `${signed ? 's' : 'u'}${accessBytes * 8}`;
  // C extends the sign to the width of the signed type only.
  const extended = signed ? `(${C_TYPE[result]})(s${name.slice(1, 3)})` : '';
  const loaded = w.pushTemporary(result, `${extended}AT(${unit}, ${base}, ${at})`);
  // A load whose result nobody uses traps all the same.
  w.line(`KEEP(${loaded});`);
}

export function memorySize(w: FunctionWriter): void {
  const memory = w.reader.u32();
  const type = addressType(w, memory);
  // Others may grow a shared one at any time: the runtime knows.
  const shared = w.module.memories[memory]?.shared === true;
  const pages = shared ? `${w.runtime()}->memory_size(&in->h, ${memory})` : `in->m[${memory}]->pages`;
  w.pushTemporary(type, `(${C_TYPE[type]})${pages}`);
}

export function memoryGrow(w: FunctionWriter): void {
  const memory = w.reader.u32();
  const type = addressType(w, memory);
  const grown = `${w.runtime()}->memory_grow(&in->h, ${memory}, ${w.popText()})`;
  w.pushTemporary(type, `(${C_TYPE[type]})${grown}`);
}

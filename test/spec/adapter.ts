// v128 cannot cross into JavaScript, and the payload of a NaN does not survive there. An adapter is a small module that
// imports one function and exports it with integers in their place: f32 as i32, f64 as i64, v128 as two i64, the low
// half first. It is itself run by what is tested.
import { name, preamble, section, unsigned, vector } from './bytes.ts';
import { type EncodedType, encoded, type FunctionSignature } from './signature.ts';

const op = {
  localGet: 0x20,
  localSet: 0x21,
  call: 0x10,
  end: 0x0b,
  i32ReinterpretF32: 0xbc,
  i64ReinterpretF64: 0xbd,
  f32ReinterpretI32: 0xbe,
  f64ReinterpretI64: 0xbf,
  i64x2Splat: [0xfd, 0x12],
  i64x2ExtractLane: [0xfd, 0x1d],
  i64x2ReplaceLane: [0xfd, 0x1e],
} as const;

const integersFor: Record<EncodedType, EncodedType[]> = {
  [encoded.f32]: [encoded.i32],
  [encoded.f64]: [encoded.i64],
  [encoded.v128]: [encoded.i64, encoded.i64],
};
const integers = (type: EncodedType): EncodedType[] => integersFor[type] ?? [type];

const typeBytes = (type: EncodedType): number[] => [...Buffer.from(type, 'hex')];
const functionType = (params: EncodedType[], results: EncodedType[]): number[] => [
  0x60,
  ...vector(params.map(typeBytes)),
  ...vector(results.map(typeBytes)),
];

/** From the integers in local `at` and after it to one value of the type. */
function compose(type: EncodedType, at: number): number[] {
  const get = [op.localGet, ...unsigned(at)];
  if (type === encoded.f32) return [...get, op.f32ReinterpretI32];
  if (type === encoded.f64) return [...get, op.f64ReinterpretI64];
  if (type !== encoded.v128) return get;
  return [...get, ...op.i64x2Splat, op.localGet, ...unsigned(at + 1), ...op.i64x2ReplaceLane, 1];
}

/** From a value of the type in local `at` to its integers. */
function decompose(type: EncodedType, at: number): number[] {
  const get = [op.localGet, ...unsigned(at)];
  if (type === encoded.f32) return [...get, op.i32ReinterpretF32];
  if (type === encoded.f64) return [...get, op.i64ReinterpretF64];
  if (type !== encoded.v128) return get;
  return [...get, ...op.i64x2ExtractLane, 0, ...get, ...op.i64x2ExtractLane, 1];
}

function body({ params, results }: FunctionSignature): number[] {
  let parameters = 0;
  const composed = params.flatMap((type) => {
    const code = compose(type, parameters);
    parameters += integers(type).length;
    return code;
  });
  // The last result is on top.
  const stored = results.map((_, index) => [op.localSet, ...unsigned(parameters + index)]).reverse();
  const answered = results.flatMap((type, index) => decompose(type, parameters + index));
  const locals = vector(results.map((type) => [1, ...typeBytes(type)]));
  return [...locals, ...composed, op.call, 0, ...stored.flat(), ...answered, op.end];
}

/** A module that imports '' 'f' of this signature and exports 'f' with integers only. */
export function adapterModule(signature: FunctionSignature): Uint8Array {
  const { params, results } = signature;
  const code = body(signature);
  return new Uint8Array([
    ...preamble,
    ...section(
      1,
      vector([
        functionType(params, results),
        functionType(params.flatMap(integers), results.flatMap(integers)),
      ]),
    ),
    ...section(2, vector([[...name(''), ...name('f'), 0, 0]])),
    ...section(3, vector([[1]])),
    ...section(7, vector([[...name('f'), 0, 1]])),
    ...section(10, vector([[...unsigned(code.length), ...code]])),
  ]);
}

/** Types of another module's type section cannot be named in an adapter. */
export function isAdaptable({ params, results }: FunctionSignature): boolean {
  return [...params, ...results].every((type) => type.length === 2 || /^6[34][67]/.test(type));
}

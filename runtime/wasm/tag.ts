// Tags and exceptions are V8's own; compiled code knows a tag by an address.
import { wasm } from '../../loader/wasm.ts';
import { knowThrownTag, onUnknownTag, thrownTag } from './boundary.ts';
import { payloadCodec } from './function.ts';
import { functionAtSlot, knowTag } from './function-reference.ts';
import { newTag } from './link-check.ts';
import type { ValueType } from './shape.ts';
import * as Type from './shape.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

onUnknownTag(knowTag);

interface TagState {
  address: number;
  /** Keeps the address good: storage of its own, or the instance that the tag stands in. */
  owner: object;
}

const NAMES: Record<number, string> = {
  [Type.I32]: 'i32',
  [Type.I64]: 'i64',
  [Type.F32]: 'f32',
  [Type.F64]: 'f64',
  [Type.V128]: 'v128',
  [Type.FUNCREF]: 'anyfunc',
  [Type.EXTERNREF]: 'externref',
};

const states = new WeakMap<V8Type.Tag, TagState>();

function know(tag: V8Type.Tag, params: ValueType[], address: number): void {
  const codec = payloadCodec(params, functionAtSlot);
  knowThrownTag(address, tag, {
    tag: new WeakRef(tag),
    payload: codec.read,
    put: (exception, slot) =>
      codec.write(
        params.map((_, index) => exception.getArg(tag, index)),
        slot,
      ),
  });
}

/** The address of a tag of JavaScript's. */
export function tagAddress(tag: V8Type.Tag, params: ValueType[]): number {
  let state = states.get(tag);
  if (state === undefined) {
    const [handle, address] = wasm.wasmCell();
    state = { address, owner: handle };
    states.set(tag, state);
    know(tag, params, address);
  }
  return state.address;
}

/** The tag that stands for one of compiled code. */
export function tagFor(address: number, params: ValueType[], owner: object): V8Type.Tag {
  const known = thrownTag(address);
  if (known !== null) return known.tag;
  const plain = params.every((type) => type !== Type.V128 && type !== Type.EXNREF);
  const tag = plain
    ? new V8.Tag({ parameters: params.map((type) => NAMES[type] as 'i32') })
    : (newTag(params) as V8Type.Tag);
  states.set(tag, { address, owner });
  know(tag, params, address);
  return tag;
}

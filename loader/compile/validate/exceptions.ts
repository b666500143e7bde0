// Exceptions: throw and try_table (core specification 3.4.1.14), and the legacy try, catch, delegate, rethrow
// (exception handling proposal, legacy).
import { type FunctionType, UnsupportedFeature, ValueType } from '../module.ts';
import { block } from './control.ts';
import { labelTypes, Opens, sameTypes, type Types, type Typing } from './typing.ts';

function tag(t: Typing): FunctionType {
  const index = t.r.u32();
  const found = t.module.tags[index] ?? t.fail(`unknown tag ${index}`);
  return t.type(found.typeIndex);
}

/** Whether a module may mix both forms is for V8 to say: its versions differ. */
function uses(t: Typing, form: 'legacy' | 'standard'): void {
  t.exceptions ??= form;
  if (t.exceptions !== form) throw new UnsupportedFeature('mixed-exceptions', t.at);
}

export function throws(t: Typing): void {
  t.popAll(tag(t).params);
  t.unreachable();
}

export function throwReference(t: Typing): void {
  uses(t, 'standard');
  t.pop(ValueType.exnref);
  t.unreachable();
}

/** The catch clauses stand between the block type and the body, but their labels count from outside. */
export function tryTable(t: Typing): void {
  uses(t, 'standard');
  block(t, Opens.tryTable);
  for (let count = t.r.u32(); count > 0; count--) catchClause(t);
}

function catchClause(t: Typing): void {
  const kind = t.r.u8();
  if (kind > 3) t.fail('malformed catch clause');
  const caught: Types = kind < 2 ? tag(t).params : [];
  const given = kind & 1 ? [...caught, ValueType.exnref] : caught;
  const index = t.r.u32();
  // The try_table's own frame is open already.
  if (!sameTypes(given, labelTypes(t.label(index + 1)))) {
    t.fail(`type mismatch: a catch clause does not give what label ${index} takes`);
  }
}

export function legacyTry(t: Typing): void {
  uses(t, 'legacy');
  block(t, Opens.try);
}

function closeTry(t: Typing, what: string): Types {
  const { opens } = t.frame;
  if (opens !== Opens.try && opens !== Opens.catch) t.fail(`${what} without try`);
  return t.close().end;
}

export function catches(t: Typing): void {
  const { params } = tag(t);
  const results = closeTry(t, 'catch');
  t.open(Opens.catch, [], results);
  t.pushAll(params);
}

export function catchesAll(t: Typing): void {
  const results = closeTry(t, 'catch_all');
  t.open(Opens.catchAll, [], results);
}

export function delegate(t: Typing): void {
  const index = t.r.u32();
  if (t.frame.opens !== Opens.try) t.fail('delegate without try');
  const { end } = t.close();
  t.label(index);
  t.pushAll(end);
}

export function rethrow(t: Typing): void {
  const { opens } = t.label(t.r.u32());
  if (opens !== Opens.catch && opens !== Opens.catchAll) t.fail('invalid rethrow label');
  t.unreachable();
}

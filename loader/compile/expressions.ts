// The numeric operators as C expressions, by name. Arguments are C expressions in parentheses or names.

type Pure = (a: string, b: string) => string;

const infix =
  (operator: string): Pure =>
  (a, b) =>
    `(${a} ${operator} ${b})`;
const compare =
  (operator: string, as = ''): Pure =>
  (a, b) =>
    `(u32)(${as}${a} ${operator} ${as}${b})`;
const cast =
  (to: string): Pure =>
  (a) =>
    `(${to})${a}`;
const call =
  (name: string): Pure =>
  (a, b) =>
    b === '' ? `${name}(${a})` : `${name}(${a}, ${b})`;

const pure = new Map<string, Pure>();

function integers(type: 'i32' | 'i64'): void {
  const bits = type === 'i32' ? 32 : 64;
  const [unsigned, signed] = [`u${bits}`, `s${bits}`];
  const set = (name: string, expression: Pure) => pure.set(`${type}.${name}`, expression);
  for (const [name, operator] of Object.entries({
    add: '+',
    sub: '-',
    mul: '*',
    and: '&',
    or: '|',
    xor: '^',
  }))
    set(name, infix(operator));
  set('eqz', (a) => `(u32)(${a} == 0)`);
  set('eq', compare('=='));
  set('ne', compare('!='));
  for (const [name, operator] of Object.entries({ lt: '<', gt: '>', le: '<=', ge: '>=' })) {
    set(`${name}_u`, compare(operator));
    set(`${name}_s`, compare(operator, `(${signed})`));
  }
  set('shl', (a, b) => `(${a} << (${b} & ${bits - 1}))`);
  set('shr_u', (a, b) => `(${a} >> (${b} & ${bits - 1}))`);
  set('shr_s', (a, b) => `(${unsigned})((${signed})${a} >> (${b} & ${bits - 1}))`);
  for (const name of ['rotl', 'rotr', 'clz', 'ctz', 'popcnt']) set(name, call(`${type}_${name}`));
  for (const narrow of [8, 16, 32])
    if (narrow < bits) set(`extend${narrow}_s`, (a) => `(${unsigned})(${signed})(s${narrow})${a}`);
}

function floats(type: 'f32' | 'f64'): void {
  const set = (name: string, expression: Pure) => pure.set(`${type}.${name}`, expression);
  for (const [name, operator] of Object.entries({ add: '+', sub: '-', mul: '*', div: '/' }))
    set(name, infix(operator));
  for (const [name, operator] of Object.entries({ eq: '==', ne: '!=', lt: '<', gt: '>', le: '<=', ge: '>=' }))
    set(name, compare(operator));
  for (const name of 'abs neg ceil floor trunc nearest sqrt min max copysign'.split(' '))
    set(name, call(`${type}_${name}`));
  for (const bits of [32, 64]) {
    set(`convert_i${bits}_s`, (a) => `(${type})(s${bits})${a}`);
    set(`convert_i${bits}_u`, (a) => `(${type})${a}`);
  }
}

integers('i32');
integers('i64');
floats('f32');
floats('f64');
pure.set('i32.wrap_i64', cast('u32'));
pure.set('i64.extend_i32_s', (a) => `(u64)(s64)(s32)${a}`);
pure.set('i64.extend_i32_u', cast('u64'));
pure.set('f32.demote_f64', cast('f32'));
pure.set('f64.promote_f32', call('f64_promote'));
pure.set('i32.reinterpret_f32', call('bits_of_f32'));
pure.set('i64.reinterpret_f64', call('bits_of_f64'));
pure.set('f32.reinterpret_i32', call('f32_of'));
pure.set('f64.reinterpret_i64', call('f64_of'));
for (const integer of ['i32', 'i64'])
  for (const float of ['f32', 'f64'])
    for (const sign of ['s', 'u'])
      pure.set(`${integer}.trunc_sat_${float}_${sign}`, call(`${integer}_trunc_sat_${float}_${sign}`));

/** An expression for an operator that cannot trap; null for one that can. `b` is '' where there is none. */
export function pureExpression(name: string, a: string, b: string): string | null {
  return pure.get(name)?.(a, b) ?? null;
}

/** Conditions that trap, in order, and the value then. Arguments are evaluated more than once: names. */
export interface Trapping {
  traps: { when: string; trap: string }[];
  value: string;
}

const RANGE: Record<string, [above: string, below: string]> = {
  'i32.trunc_f32_s': ['>= -2147483648.f', '< 2147483648.f'],
  'i32.trunc_f64_s': ['> -2147483649.0', '< 2147483648.0'],
  'i32.trunc_f32_u': ['> -1.f', '< 4294967296.f'],
  'i32.trunc_f64_u': ['> -1.0', '< 4294967296.0'],
  'i64.trunc_f32_s': ['>= -9223372036854775808.f', '< 9223372036854775808.f'],
  'i64.trunc_f64_s': ['>= -9223372036854775808.0', '< 9223372036854775808.0'],
  'i64.trunc_f32_u': ['> -1.f', '< 18446744073709551616.f'],
  'i64.trunc_f64_u': ['> -1.0', '< 18446744073709551616.0'],
};

export function trappingExpression(name: string, a: string, b: string): Trapping | null {
  const range = RANGE[name];
  if (range !== undefined) {
    const [type = '', rest = ''] = name.split('.');
    const bits = type.slice(1);
    const signed = rest.endsWith('_s');
    return {
      traps: [{ when: `!(${a} ${range[0]} && ${a} ${range[1]})`, trap: 'CONVERSION' }],
      value: signed ? `(u${bits})(s${bits})${a}` : `(u${bits})${a}`,
    };
  }
  const match = /^i(32|64)\.(div|rem)_([su])$/.exec(name);
  if (match === null) return null;
  const [, bits, kind, sign] = match;
  const zero = { when: `${b} == 0`, trap: kind === 'div' ? 'DIVIDE_BY_ZERO' : 'REMAINDER_BY_ZERO' };
  const operator = kind === 'div' ? '/' : '%';
  if (sign === 'u') return { traps: [zero], value: `(${a} ${operator} ${b})` };
  const quotient = `(u${bits})((s${bits})${a} ${operator} (s${bits})${b})`;
  const minusOne = `${b} == (u${bits})-1`;
  if (kind === 'rem') return { traps: [zero], value: `(${minusOne} ? 0 : ${quotient})` };
  const least = bits === '32' ? '0x80000000u' : '0x8000000000000000u';
  return {
    traps: [zero, { when: `${a} == ${least} && ${minusOne}`, trap: 'DIVIDE_UNREPRESENTABLE' }],
    value: quotient,
  };
}

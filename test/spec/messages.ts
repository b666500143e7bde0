// The words of the suite for a trap against V8's, of all supported Nodes. A text of the suite stands for every text that
// begins with it, as in the reference interpreter.
const table: [suite: string, v8: RegExp][] = [
  ['unreachable', /unreachable/],
  ['integer divide by zero', /(divide|remainder) by zero/],
  ['integer overflow', /divide result unrepresentable|float unrepresentable in integer range/],
  ['invalid conversion to integer', /float unrepresentable in integer range/],
  ['out of bounds memory access', /memory access out of bounds|data segment( \d+)? (is )?out of bounds/],
  [
    'out of bounds table access',
    /table index is out of bounds|table access out of bounds|(element segment|table initializer)( \d+)?:? (is )?(out of bounds|table)/,
  ],
  ['undefined element', /table index is out of bounds/],
  // "null function or function signature mismatch" where they are not told apart
  ['uninitialized element', /function signature mismatch|null function/],
  ['indirect call', /function signature mismatch/],
  ['unaligned atomic', /operation does not support unaligned accesses/],
  ['expected shared memory', /Atomics.wait cannot be called in this context/],
  ['out of bounds array access', /(array element access|element segment|array index).* out of bounds/],
  ['null', /dereferencing a null pointer|rethrowing null value/],
  ['cast', /illegal cast/],
];

/** Whether V8's text of a trap says what the suite's text says; a text of the suite that is not known says nothing. */
export function saysTheSame(suite: string, message: string): boolean {
  return table.some(([start, text]) => suite.startsWith(start) && text.test(message));
}

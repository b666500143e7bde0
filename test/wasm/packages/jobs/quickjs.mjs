// Programs, errors, host functions, jobs, an interrupt and its own limit of stack, in QuickJS.
import variant from '@jitl/quickjs-wasmfile-release-sync';
import { newQuickJSWASMModuleFromVariant, shouldInterruptAfterDeadline } from 'quickjs-emscripten';

const quickjs = await newQuickJSWASMModuleFromVariant(variant);
const context = quickjs.newContext();
context.runtime.setMaxStackSize(64 << 10); // short of what V8 has for it

function evaluate(code) {
  const result = context.evalCode(code);
  if (result.error === undefined) return context.dump(result.value);
  const { name, message } = context.dump(result.error);
  return `${name}: ${message}`;
}

const double = context.newFunction('double', (value) => context.newNumber(context.getNumber(value) * 2));
context.setProp(context.global, 'double', double);
const fails = context.newFunction('fails', () => {
  throw new RangeError('from the host');
});
context.setProp(context.global, 'fails', fails);

const results = [
  '1 + 2',
  '[3, 1, 2].sort().map((x) => x ** 2)',
  'JSON.stringify({ a: [1, { b: "é\u{1f600}" }], c: 0.1 + 0.2, d: -0, e: 1e308 * 10 })',
  'let n = 0; for (let i = 0; i < 200000; i++) n = (n * 31 + i) % 1000003; n',
  '"abcabc".replace(/(?<x>b)(c)/gu, "[$2$<x>]")',
  '(2n ** 200n).toString(36)',
  '[Math.sin(1), Math.exp(10), Math.atan2(1, 2), Number("0x1f"), parseFloat("1e-7")]',
  'new Date(86400000 * 365.25 * 30).toISOString()',
  'double(21)',
  'try { fails() } catch (error) { error.name + error.message }',
  'null.x',
  '(function f() { return f() + 1 })()',
  'class A { #x = 1; get x() { return this.#x } } new A().x',
  'Array.from({ length: 1000 }, (_, i) => i).reduce((a, b) => a + b)',
  'const o = {}; for (let i = 0; i < 20000; i++) o["k" + (i % 997)] = i; Object.keys(o).length',
].map(evaluate);

const promised = context.evalCode('let seen = []; Promise.resolve(1).then((v) => seen.push(v)); seen');
context.runtime.executePendingJobs();
results.push(context.dump(context.unwrapResult(promised)));

context.runtime.setInterruptHandler(shouldInterruptAfterDeadline(Date.now() - 1));
results.push(evaluate('for (;;) {}'));
console.log(JSON.stringify(results));

// A real job one way: node job.mjs v8|in-place quickjs|sqlite. What it computes is printed with the CPU time of each turn,
// in ms, warm ones only, and how long an instance takes that is made again. A line of JSON.
import { createHash } from 'node:crypto';
import process from 'node:process';

const [way, job] = process.argv.slice(2);
const insitu = await import('../../../dist/runtime/wasm/index.mjs');
if (way === 'in-place') {
  const { setPolicy, explain, ...names } = insitu;
  globalThis.WebAssembly = Object.assign(Object.create(null), names);
}

const program = `(() => {
  class Vector { constructor(x, y) { this.x = x; this.y = y } add(o) { return new Vector(this.x + o.x, this.y + o.y) } }
  let v = new Vector(0, 0);
  for (let i = 0; i < 60000; i++) v = v.add(new Vector(i % 7, Math.sqrt(i)));
  const words = {};
  for (let i = 0; i < 60000; i++) { const w = 'w' + (i * 7919 % 1013); words[w] = (words[w] || 0) + 1 }
  const sorted = Object.entries(words).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, 5);
  let text = '';
  for (let i = 0; i < 5000; i++) text += String.fromCharCode(97 + i % 26);
  const matches = (text.match(/[aeiou][^aeiou]+/g) || []).length;
  const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2);
  const parsed = JSON.parse(JSON.stringify(Array.from({ length: 3000 }, (_, i) => ({ i, s: 'x' + i }))));
  return JSON.stringify([v.x, v.y, sorted, matches, fib(22), parsed.length]);
})()`;

async function quickjs() {
  const { newQuickJSWASMModuleFromVariant } = await import('quickjs-emscripten');
  const { default: variant } = await import('@jitl/quickjs-wasmfile-release-sync');
  const context = (await newQuickJSWASMModuleFromVariant(variant)).newContext();
  return () => context.unwrapResult(context.evalCode(program)).consume(context.dump);
}

async function sqlite() {
  const { default: initSqlJs } = await import('sql.js');
  const { Database } = await initSqlJs();
  return () => {
    const database = new Database();
    database.run('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER, x REAL)');
    database.run(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
      INSERT INTO t SELECT i, 'name ' || (i * 7919 % 10007), i * 31 % 997, i / 7.0 FROM c`);
    database.run('CREATE INDEX byName ON t (name)');
    const results = [
      'SELECT n, count(*), avg(x) FROM t GROUP BY n ORDER BY 3 DESC LIMIT 5',
      'SELECT count(*) FROM t a JOIN t b ON a.name = b.name AND a.id < b.id',
      "SELECT sum(length(replace(name, 'a', 'bb'))) FROM t WHERE name LIKE '%7%'",
      'SELECT id, sum(x) OVER (PARTITION BY n ORDER BY id) AS s FROM t ORDER BY s DESC LIMIT 3',
    ].map((sql) => database.exec(sql)[0].values);
    database.close();
    return JSON.stringify(results);
  };
}

const run = await { quickjs, sqlite }[job]();
const result = run();
for (const until = performance.now() + 3000; performance.now() < until; ) run();
const samples = Array.from({ length: 9 }, () => {
  const before = process.cpuUsage();
  if (run() !== result) throw new Error(`${job}: another answer than at first`);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}).sort((a, b) => a - b);
const left = way === 'in-place' ? insitu.explain().filter(({ image }) => image === null) : [];
if (left.length > 0) throw new Error(`${job}: left to V8: ${left.map(({ reason }) => reason)}`);
console.log(JSON.stringify({ checksum: createHash('sha256').update(result).digest('hex'), ms: samples[4] }));

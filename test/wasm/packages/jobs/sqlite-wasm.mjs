// The project's own build of SQLite: the object API, user functions of three kinds, a text index and errors.
import sqlite3InitModule from '@sqlite.org/sqlite-wasm';

const sqlite3 = await sqlite3InitModule({ print() {}, printErr() {} });
const database = new sqlite3.oo1.DB(':memory:');
const rows = (sql, bind) => database.exec({ sql, ...(bind ? { bind } : {}), returnValue: 'resultRows' });

function attempt(act) {
  try {
    return act();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

database.exec('CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c)');
database.transaction(() => {
  const statement = database.prepare('INSERT INTO t (b, c) VALUES (?, ?)');
  for (let i = 0; i < 3000; i++) statement.bind([`row ${(i * 31) % 1009}`, i % 3 ? i / 7 : null]).stepReset();
  statement.finalize();
});
database.createFunction('add3', (_, a, b, c) => a + b + c);
database.createFunction({ name: 'longest', xStep: longest, xFinal: (context) => final(context) });
const held = new Map();
function longest(context, text) {
  const at = sqlite3.capi.sqlite3_js_aggregate_context(context, 4);
  if ((held.get(at) ?? '').length < text.length) held.set(at, text);
}
function final(context) {
  return held.get(sqlite3.capi.sqlite3_js_aggregate_context(context, 0)) ?? null;
}

const results = [
  sqlite3.version.libVersion,
  rows('SELECT count(*), count(c), total(c), group_concat(DISTINCT a % 5) FROM t'),
  rows('SELECT b, count(*) AS n FROM t GROUP BY b HAVING n > 2 ORDER BY n DESC, b LIMIT 4'),
  rows('SELECT add3(1, 2, ?)', [39]),
  rows('SELECT longest(b) FROM t WHERE a < 200'),
  rows('SELECT json_group_object(a, c) FROM t WHERE a BETWEEN 5 AND 9'),
  rows("SELECT 9007199254740991 - 1, typeof(c), quote(x'00ff') FROM t WHERE a = 1"),
  attempt(() => rows('SELECT * FROM missing')),
  attempt(() => rows('INSERT INTO t (a) VALUES (1)')),
];
database.exec('CREATE VIRTUAL TABLE f USING fts5(text)');
database.exec({ sql: "INSERT INTO f SELECT b || ' of ' || a FROM t WHERE a <= 500" });
results.push(rows("SELECT text FROM f WHERE f MATCH 'row AND 31' ORDER BY rank, rowid LIMIT 3"));
const bytes = sqlite3.capi.sqlite3_js_db_export(database);
results.push(
  bytes.length,
  bytes.reduce((sum, byte) => (sum * 33 + byte) >>> 0, 5381),
);
database.close();
console.log(JSON.stringify(results, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));

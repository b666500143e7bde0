// Tables, joins, JSON, blobs, user functions, errors and a database exported and read back, in sql.js.
import { createHash } from 'node:crypto';
import initSqlJs from 'sql.js';

const SQL = await initSqlJs();
const database = new SQL.Database();
database.run('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, x REAL, b BLOB)');
database.run('BEGIN');
const insert = database.prepare('INSERT INTO t (name, x, b) VALUES (?, ?, ?)');
for (let i = 0; i < 5000; i++)
  insert.run([`name ${(i * 7919) % 5003}`, Math.sin(i), new Uint8Array([i & 255, i >> 8])]);
insert.free();
database.run('COMMIT');
database.run('CREATE INDEX byName ON t (name)');
database.create_function('twice', (value) => value * 2);
database.create_function('fails', () => {
  throw new Error('from the host');
});

function query(sql, parameters) {
  try {
    return database.exec(sql, parameters).map(({ columns, values }) => [columns, values]);
  } catch (error) {
    return String(error);
  }
}

const results = [
  query('SELECT count(*), sum(x), avg(length(name)), hex(max(b)) FROM t'),
  query('SELECT name, x FROM t WHERE name BETWEEN ? AND ? ORDER BY x LIMIT 5', ['name 10', 'name 12']),
  query('SELECT a.id, b.id FROM t a JOIN t b ON a.name = b.name AND a.id <> b.id + 1 WHERE a.id < 4'),
  query(
    'WITH RECURSIVE f(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM f LIMIT 50) SELECT max(a) FROM f',
  ),
  query(`SELECT json_extract('{"a":[1,2,{"b":3.5}]}', '$.a[2].b'), json_group_array(id) FROM t WHERE id < 5`),
  query('SELECT id, row_number() OVER (ORDER BY x DESC) FROM t ORDER BY x DESC LIMIT 3'),
  query('SELECT twice(21), twice(x) FROM t WHERE id = 7'),
  query('SELECT fails()'),
  query('SELECT nonsense FROM t'),
  query(`SELECT date(0, 'unixepoch'), printf('%.17g %d', 0.1, 1 << 40), upper('straße')`),
];
const file = database.export();
const again = new SQL.Database(file);
results.push(again.exec('PRAGMA integrity_check')[0].values, createHash('sha256').update(file).digest('hex'));
console.log(JSON.stringify(results, (_, value) => (value instanceof Uint8Array ? [...value] : value)));

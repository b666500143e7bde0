// Every row of the table of malformed files: what load() says of it, and that nothing is left behind.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryDirectory } from '../build/compile.ts';
import { type Malformed, malformed, malformedFileName } from '../build/malformed.ts';
import { runner } from '../exec/probe.ts';
import { run } from './child.ts';
import type { Thrown } from './stage.ts';

interface Outcome {
  row: number;
  thrown: Thrown | null;
  /** By symbol('answer'), where the load succeeded. */
  atLookup: Thrown | null;
  leftMapped: string[];
  leftOpen: number;
}

const directory = temporaryDirectory();

function stored(row: Malformed, index: number): string {
  const path = join(directory, String(index), malformedFileName);
  mkdirSync(join(directory, String(index)));
  writeFileSync(path, row.bytes(), { mode: 0o755 });
  return path;
}

/** Loads the files one after the other; tells each one's number before and its outcome after. */
function loadRows(files: [number, string][], place: 'in-place' | 'copy') {
  return run(
    async ({ load, fs, asThrown, thrown, mapsOf, openDescriptors }, files, place) => {
      const say = (value: unknown) => fs.writeSync(1, `${JSON.stringify(value)}\n`);
      for (const [row, path] of files) {
        say({ row });
        const before = { mapped: mapsOf(path).length, open: openDescriptors() };
        let atLookup: Thrown | null = null;
        const failure = await load(path, { place }).then(
          (library) => {
            atLookup = thrown(() => library.symbol('answer'));
            library.close();
            return null;
          },
          (error) => asThrown(error),
        );
        const leftOpen = openDescriptors() - before.open;
        say({ row, thrown: failure, atLookup, leftMapped: mapsOf(path).slice(before.mapped), leftOpen });
      }
    },
    files,
    place,
  );
}

/** Outcomes by row. A row that ends its process has none, and the rows behind it go on in another one. */
function outcomes(rows: Map<number, string>, place: 'in-place' | 'copy'): Map<number, Outcome | string> {
  const found = new Map<number, Outcome | string>();
  while (found.size < rows.size) {
    const { stdout, stderr, signal, status } = loadRows(
      [...rows].filter(([row]) => !found.has(row)),
      place,
    );
    let begun: number | undefined;
    for (const line of stdout.split('\n').filter((text) => text.startsWith('{'))) {
      const outcome = JSON.parse(line) as Outcome;
      if (outcome.leftMapped !== undefined) found.set(outcome.row, outcome);
      begun = outcome.row;
    }
    if (found.size === rows.size && status === 0) break;
    assert.type(begun, 'number', `the child did not start: ${stderr}`);
    found.set(begun as number, `ended the process: ${signal ?? status} ${stderr}`);
  }
  return found;
}

/** File, place, found and wanted in one line; a size that does not fit or a name that is not there says what it found. */
const wants = /; want .|; file has .|; the string table has .|: cannot open shared object|cyclic DT_NEEDED/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const control = /[\x00-\x1f\x7f]/;

function assertRefused(error: Thrown, row: Malformed, path: string): void {
  assert.is(error.name, 'LoadError', error.message);
  assert.is(error.code, row.code, error.message);
  assert.match(error.message, row.message);
  assert.is(error.path, path);
  assert.ok(error.message.startsWith(`${path}: `), error.message);
  assert.not.match(error.message, control);
  assert.match(error.message, wants);
}

function assertOutcome(outcome: Outcome | string | undefined, row: Malformed, path: string): void {
  if (outcome === undefined || typeof outcome === 'string') throw new Error(outcome ?? 'was not tried');
  const { thrown, atLookup, leftMapped, leftOpen } = outcome;
  if (row.shows === 'at lookup') assert.is(thrown, null, thrown?.message);
  const error = row.shows === 'at lookup' ? atLookup : thrown;
  if (error === null) throw new Error(`was accepted; lookup: ${atLookup?.message ?? 'succeeded'}`);
  assertRefused(error, row, path);
  assert.equal(leftMapped, []);
  assert.is(leftOpen, 0);
}

const rows = malformed.filter((row) => row.as === 'library');
const paths = new Map(rows.map((row, i) => [i, stored(row, i)]));

for (const place of ['in-place', 'copy'] as const) {
  const test = suite(`malformed libraries, ${place}`);
  const found = new Map<number, Outcome | string>();
  test.before(() => {
    for (const [row, outcome] of outcomes(paths, place)) found.set(row, outcome);
  });
  rows.forEach((row, i) => {
    test(row.name, () => assertOutcome(found.get(i), row, paths.get(i) as string));
  });
  test.run();
}

const table = suite('the table');

table('names of rows are unique', () => {
  assert.equal(
    malformed.map(({ name }) => name).filter((name, i, all) => all.indexOf(name) !== i),
    [],
  );
});

table.run();

const programs = suite('malformed programs');

for (const row of malformed.filter(({ as }) => as === 'program'))
  programs(row.name, () => {
    const path = join(directory, 'program');
    writeFileSync(path, row.bytes(), { mode: 0o755 });
    const { status, signal, stdout, stderr } = spawnSync(runner, [path], {
      cwd: directory,
      encoding: 'utf8',
      timeout: 10_000,
    });
    assert.equal([status, signal, stdout], [126, null, ''], stderr);
    assert.ok(stderr.startsWith(`insitu-exec: ${path}: `), stderr);
    assert.is(stderr.indexOf('\n'), stderr.length - 1, stderr);
    assert.match(stderr, row.message);
  });

programs.run();

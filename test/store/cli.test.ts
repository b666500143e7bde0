// Regions on the command line and through load(): placed, listed, run, inspected, called.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { list } from '../../loader/listing.ts';
import { native, prebuilt } from '../../loader/native.ts';
import { compileC } from '../build/compile.ts';
import { minimalLibrary } from '../build/elf.ts';
import { insitu } from '../cli/insitu.ts';
import { inChild } from '../loader/child.ts';
import type { Stage } from '../loader/stage.ts';
import { fresh, MIB, type Place, patch, places, region, stored } from './regions.ts';

const page = native.pageSize;
const program = `
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int counter = 41;
static const char text[] = "from a region";
int main(int argc, char **argv) {
  int descriptors = 0;
  DIR *d = opendir("/proc/self/fd");
  while (readdir(d) != NULL) descriptors++;
  closedir(d);
  counter++;
  printf("%s %s %d %d %s\\n", argv[0], text, counter, descriptors, argc > 1 ? argv[1] : "-");
  return argc > 2 ? atoi(argv[2]) : 0;
}`;
const kinds = ['static', 'static-pie', 'pie', 'no-pie'] as const;
const built = kinds.map((kind) => compileC(program, { name: `program-${kind}`, kind }));
const library = compileC('static int calls; int answer(void) { return 42 + calls++; }', {
  name: 'libanswer.so',
  kind: 'shared',
});

const json = (args: string[]) => {
  const { status, stdout, stderr } = insitu(args);
  assert.is(status, 0, stderr);
  return JSON.parse(stdout);
};
/** Fails with this status and one line that says so. */
function fails(args: string[], status: number, message: RegExp): void {
  const outcome = insitu(args);
  assert.is(outcome.status, status, outcome.stderr);
  assert.match(outcome.stderr, message);
  assert.match(outcome.stderr, /^insitu: [^\n]*\n$/);
}

const verbs = suite('place and region');

verbs('place makes a region, replaces, and region lists, verifies and takes out', () => {
  const path = fresh();
  const placed = json(['place', '--json', '--create=64M', ...built, library, path]);
  assert.equal(
    placed.entries.map(({ name, kind, text }: Record<string, unknown>) => [name, kind, text]),
    [...built, library].map((file, i) => [
      basename(file),
      i < 4 ? 'elf-program' : 'elf-shared',
      { inPlace: true, copied: 0, reason: '' },
    ]),
  );
  assert.is(insitu(['place', library, path, '--name', 'again']).status, 0);
  assert.is(json(['region', 'ls', '--json', path]).entries.length, 6);
  assert.match(insitu(['region', 'ls', path]).stdout, /again +elf-shared .* in place\n/);
  assert.is(insitu(['region', 'rm', path, 'again']).status, 0);
  fails(['region', 'rm', path, 'again'], 127, /has no entry again/);
  assert.is(json(['region', 'verify', '--json', path]).entries.length, 5);
  const { offset } = json(['region', 'ls', '--json', path]).entries[0];
  patch(path, (bytes) => bytes.writeUInt8(bytes.readUInt8(offset + 100) ^ 1, offset + 100));
  const verified = insitu(['region', 'verify', path]);
  assert.is(verified.status, 1);
  assert.match(verified.stdout, /^DAMAGED +libanswer\.so /m);
  assert.is(verified.stdout.match(/^intact/gm)?.length, 4);
});

verbs('region create', () => {
  const path = fresh();
  assert.is(insitu(['region', 'create', '--size=4MiB', path]).status, 0);
  fails(['region', 'create', path], 126, /is a region already; want --force/);
  assert.is(insitu(['region', 'create', '--force', path]).status, 0);
  assert.match(insitu(['region', 'ls', path]).stdout, /free +2 MiB/);
});

for (const [args, message] of [
  [['place'], /place wants FILE/],
  [['place', 'x'], /place wants FILE/],
  [['place', '--name', 'x', 'a', 'b', 'c'], /--name is for one FILE/],
  [['place', '--create=big', 'a', '/nowhere/r'], /size big: want/],
  [['place', '--create=0', 'a', '/nowhere/r'], /size 0: want/],
  [['place', '--force', 'a', '/nowhere/r'], /--force goes with --create/],
  [['region'], /region wants ls, rm, verify or create/],
  [['compare', 'region:/a/b'], /lies within another file; want a FILE of its own/],
  [['region', 'ls'], /region wants/],
  [['region', 'ls', 'a', 'b'], /ls wants a REGION alone/],
  [['region', 'rm', 'a'], /rm wants REGION and NAME/],
  [['region', 'mount', 'a'], /'mount' is nothing to do with a region/],
  [['region', 'verify', 'a', 'b', 'c'], /region wants/],
] as const)
  verbs(`usage: ${args.join(' ')}`, () => fails([...args], 2, message));

verbs('what is not there', () => {
  fails(['place', library, '/nowhere/r'], 127, /ENOENT/);
  fails(['place', library, fresh()], 127, /ENOENT/);
  fails(['place', '--create', library, fresh()], 127, /want a size for a region in a new file/);
  fails(['place', '/nowhere', region()], 127, /nowhere: ENOENT/);
  fails(['region', 'ls', library], 126, /want a region/);
  fails(['run', `region:${library}/x`], 126, /want a region/);
  fails(['run', `region:${region()}/x`], 127, /has no entry x/);
  fails(['run', 'region:x'], 126, /want region:PATH\/NAME/);
  fails(['run', 'devdax:a/b'], 126, /want devdax:NAME/);
  fails(['run', 'devdax:insitu-test-no-such-name'], 127, /is in no device-dax region/);
});

verbs.run();

for (const place of Object.keys(places) as Place[]) {
  const running = suite(`run from a region on ${place}`);
  const path = region(64 * MIB, place);
  json(['place', '--json', ...built, library, path]);

  for (const [i, kind] of kinds.entries()) {
    const name = `program-${kind}`;
    const plain = insitu(['run', built[i] as string, 'x', '7']);

    running(`${kind}: as from a file of its own, with no descriptor more`, () => {
      const { stdout, stderr, status } = insitu(['run', `region:${path}/${name}`, 'x', '7']);
      assert.is(status, 7, stderr);
      assert.is(stdout, plain.stdout.replace(built[i] as string, name));
      assert.is(insitu(['run', '--copy', `region:${path}/${name}`, 'x', '7']).stdout, stdout);
    });

    running(`${kind}: its report counts its own pages`, () => {
      const run = ['run', '--report=json', `region:${path}/${name}`];
      const report = JSON.parse(insitu(run).stderr);
      assert.is(report.way, 'runner');
      assert.is(report.file, `region:${path}/${name}`);
      const { text } = report.evidence.totals;
      const size = report.segments.find(({ prot }: { prot: string }) => prot === 'r-x').fileSize;
      assert.is.not(text.resident, 0);
      assert.ok(text.pages * page <= size + 2 * page, `${text.pages} pages of ${size} bytes`);
      assert.is(text.private, 0);
      assert.is(
        JSON.parse(insitu(['run', '--copy', ...run.slice(1)]).stderr).evidence.totals.text.private,
        text.pages,
      );
    });
  }

  running('what is no program, or may not be executed', () => {
    const [script, data, plain, privileged] = ['#!/bin/sh\n', 'data'.repeat(20), '', ''].map((text) =>
      stored(text, place),
    );
    for (const copy of [plain, privileged]) copyFileSync(built[0] as string, copy as string);
    chmodSync(plain as string, 0o644);
    chmodSync(privileged as string, 0o4755);
    const names = [script, data, plain, privileged].map((file) => basename(file as string));
    json(['place', '--json', script as string, data as string, plain as string, privileged as string, path]);
    fails(['run', `region:${path}/${names[0]}`], 126, /is a script/);
    fails(['run', `region:${path}/${names[1]}`], 126, /want 0x7f 'E' 'L' 'F'/);
    fails(['run', `region:${path}/${names[2]}`], 126, /has mode 644; want a program that may be executed/);
    fails(['run', `region:${path}/${names[3]}`], 126, /is set-user-ID; want a program without privileges/);
    // What is wrong with an entry is said of the entry, not of its region.
    fails(['run', `region:${path}/libanswer.so`], 126, /\/libanswer\.so: is a shared object; want a program/);
    fails(
      ['call', `region:${path}/program-pie`, 'int main(void)'],
      126,
      /is an ELF program; want a shared object/,
    );
    fails(['call', `region:${path}/${names[1]}`, 'int f(void)'], 126, /is data; want a shared object/);
    fails(['run', '--require-in-place', `region:${path}/program-pie`], 126, /want a DAX file or device-dax/);
  });

  running('inspect and call', () => {
    const name = `region:${path}/libanswer.so`;
    const listing = json(['inspect', '--json', '--symbols', name]);
    const plain = json(['inspect', '--json', '--symbols', library]);
    for (const key of ['format', 'size', 'segments', 'relocations', 'needed', 'symbols', 'programHeaders'])
      assert.equal(listing[key], plain[key], key);
    assert.is(listing.file, name);
    assert.is(insitu(['call', name, 'int answer(void)']).stdout, '42\n');
    assert.is(insitu(['call', '--copy', name, 'int answer(void)']).stdout, '42\n');
    const { evidence } = json(['inspect', '--json', '--evidence', name]);
    assert.is(evidence.totals.text.private, 0);
  });

  running.run();
}

const parts = suite('a part of a file');

/** A library behind a page of something else, and with something else behind it. */
function holder(): { path: string; size: number } {
  const bytes = minimalLibrary().bytes();
  const path = fresh();
  writeFileSync(path, Buffer.concat([Buffer.alloc(page, 0xaa), bytes, Buffer.alloc(3 * page, 0xbb)]));
  return { path, size: bytes.length };
}

parts('FILE@OFFSET means the same in load, inspect and call', () => {
  const { path, size } = holder();
  for (const name of [`${path}@${page}`, `${path}@0x${page.toString(16)}+${size}`]) {
    assert.is(insitu(['call', name, 'int answer_by_pointer(void)']).stdout, '42\n');
    assert.is(list(name).format, 'elf-shared');
    const act = ({ loadSync, mapsOf }: Stage, part: string, file: string) => {
      const answers = ['in-place', 'copy'].map((place) => {
        const loaded = loadSync(part, { place: place as 'copy' });
        const answer = loaded.func('int answer(void)')();
        const { report } = loaded;
        const maps = mapsOf(file).length;
        loaded.close();
        return [answer, report.bytesCopied > 0, maps > 0];
      });
      return [...answers, mapsOf(file).length];
    };
    assert.equal(inChild(act, name, path), [[42, false, true], [42, true, false], 0]);
  }
  assert.is(list(`${path}@${page}+${size}`).size, size);
});

parts('offsets and sizes that can not be', () => {
  const { path, size } = holder();
  const at = (text: string) => `${path}@${text}`;
  for (const verb of [['inspect'], ['call'], ['run']])
    for (const [text, message] of [
      ['100', /offset 0x64 is not page aligned; want a multiple of 4096/],
      [`${page * 1000}`, /has \d+ bytes; want more than/],
      [`${page}+${size + 4 * page}`, /has \d+ bytes; want \d+ from 4096 on/],
      [`${page}+${page}`, /./],
    ] as const)
      fails([...verb, at(text), ...(verb[0] === 'call' ? ['int answer(void)'] : [])], 126, message);
  fails(['call', path, 'int answer(void)'], 126, /want 0x7f/);
});

parts('a part that is cut off in the file itself', () => {
  const { path, size } = holder();
  const name = `${path}@${page}+${size}`;
  writeFileSync(path, readFileSync(path).subarray(0, page + 100));
  fails(['call', name, 'int answer(void)'], 126, /want \d+ from 4096 on/);
});

const runner = prebuilt('insitu-exec');
const direct = (args: string[]) =>
  spawnSync(runner, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

parts('insitu-exec: FILE@OFFSET+SIZE', () => {
  const bytes = readFileSync(built[0] as string);
  const path = stored(Buffer.concat([Buffer.alloc(page), bytes]));
  assert.is(direct([`${path}@${page}+${bytes.length}`, 'x', '3']).status, 3);
  assert.is(direct([`${path}@${page}+0`, 'x', '3']).status, 3, 'to the end');
  assert.match(direct([`${path}@${page}+${bytes.length + 1}`]).stderr, /has \d+ bytes from 0x1000 on; want/);
  assert.match(direct([`${path}@${page}+${page}`]).stderr, /needs file bytes .*; file has 0x1000/);
  for (const odd of ['+', '+x', '+-1', '+1+1'])
    assert.match(direct([`${path}@${page}${odd}`]).stderr, /failed with ENOENT/, odd);
});

parts('insitu-exec: --held', () => {
  for (const value of ['', 'x', '-1', '4294967296'])
    assert.match(direct(['--held', value, built[0] as string]).stderr, /want a descriptor after --held/);
  const without = direct([built[0] as string]).stdout;
  assert.is(
    spawnSync('sh', ['-c', `exec "$0" --held 9 "$1" 9</dev/null`, runner, built[0] as string], {
      encoding: 'utf8',
    }).stdout,
    without,
  );
});

parts.run();

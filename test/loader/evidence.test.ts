// Evidence: the ranges of an image by its own headers, what relocation moved, and what may be said of frames.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  asEvidence,
  type Evidence,
  type RangeEvidence,
  sourceOf,
  summarise,
  totalsOf,
} from '../../loader/evidence.ts';
import type { RangeCensus } from '../../loader/native.ts';
import { compileC, temporaryDirectory } from '../build/compile.ts';
import { insitu } from '../cli/insitu.ts';
import { inChild } from './child.ts';

const PAGE = 4096;
const down = (value: number) => value - (value % PAGE);
const up = (value: number) => down(value + PAGE - 1);

/** Text, tables, RELRO, data and .bss of several pages each; some pages of data and RELRO with pointers in them. */
const source = `
  #define PAGE 4096
  extern int target(void);
  int (*const constants[3 * 512])(void) = {[0] = target, [1024] = target};
  int (*variables[5 * 512])(void) = {[512] = target, [513] = target, [4 * 512] = target};
  const char table[3 * PAGE] = {1};
  char zeroed[6 * PAGE];
  int target(void) { return 7; }
  __asm__(".text\\n.balign 4096\\n.rept 3 * 4096\\nnop\\n.endr\\n");
`;
const flags = ['-nostdlib', '-Wl,-z,relro,-z,now,-z,separate-code'];
const build = (name: string, more: string[] = []) =>
  compileC(source, { name, kind: 'shared', flags: [...flags, ...more] });

/** What binutils say of a file. */
function headersOf(path: string) {
  const text = execFileSync('readelf', ['-lrW', path], { encoding: 'utf8' });
  const rows = (type: string) =>
    [...text.matchAll(new RegExp(`^ +${type} +(.*)$`, 'gm'))].map(([, row = '']) => {
      const [, vaddr = 0, , fileSize = 0, memSize = 0] = row.split(/\s+/).map((field) => Number(field));
      return { vaddr, fileSize, memSize, flags: row.split(/\s+/).slice(5, -1).join('') };
    });
  const relocated = [...text.matchAll(/^([0-9a-f]{12,16}) +[0-9a-f]+ +R_X86_64_/gm)];
  return {
    loads: rows('LOAD'),
    relro: rows('GNU_RELRO')[0],
    relocatedPages: new Set(relocated.map(([, offset]) => down(Number.parseInt(offset as string, 16)))),
  };
}

/** Pages of each kind, counted from what readelf prints. */
function pagesOf(path: string): Record<string, number> {
  const { loads, relro } = headersOf(path);
  const pages: Record<string, number> = {};
  const add = (kind: string, from: number, to: number) => {
    if (to > from) pages[kind] = (pages[kind] ?? 0) + (to - from) / PAGE;
  };
  for (const { vaddr, fileSize, memSize, flags: rights } of loads) {
    const [begin, end] = [down(vaddr), up(vaddr + memSize)];
    if (!rights.includes('W')) add(rights.includes('E') ? 'text' : 'rodata', begin, end);
    else {
      const split = relro && relro.vaddr < end ? Math.max(begin, down(relro.vaddr + relro.memSize)) : begin;
      add('relro', begin, split);
      add('data', split, up(vaddr + fileSize));
      add('bss', Math.max(split, up(vaddr + fileSize)), end);
    }
  }
  return pages;
}

const evidenceIn = (path: string, place: 'in-place' | 'copy'): Evidence =>
  inChild(
    ({ loadSync }, file, how) => {
      const library = loadSync(file, { place: how, prefault: true });
      const { evidence } = library.report;
      library.close();
      return JSON.parse(JSON.stringify(evidence, (_, v) => (typeof v === 'bigint' ? Number(v) : v)));
    },
    path,
    place,
  );

const ranges = suite('evidence: the ranges of an image');

for (const [name, more] of [
  ['GNU ld', []],
  ['without separate code', ['-Wl,-z,noseparate-code']],
  ['without RELRO', ['-Wl,-z,norelro']],
  ['2 MiB segments', ['-Wl,-z,max-page-size=0x200000']],
] as const)
  ranges(`${name}: pages of each kind, in place and copied`, () => {
    const path = build('libranges.so', [...more]);
    for (const place of ['in-place', 'copy'] as const) {
      const { totals } = evidenceIn(path, place);
      const pages = Object.entries(totals).map(([kind, counts]) => [kind, counts?.pages]);
      assert.equal(Object.fromEntries(pages), pagesOf(path), place);
    }
  });

ranges('ranges follow on one another, none empty', () => {
  const { ranges: all } = evidenceIn(build('libranges.so'), 'in-place');
  for (const [i, { address, bytes, pages }] of all.entries()) {
    assert.ok(pages > 0 && bytes === pages * PAGE);
    const before = all[i - 1];
    if (before) assert.ok(Number(before.address) + before.bytes <= Number(address));
  }
});

ranges.run();

const writing = suite('evidence: copy-on-write');

writing('relocation moves the pages that it writes to, and no other', () => {
  const path = build('libwritten.so');
  const { loads, relocatedPages } = headersOf(path);
  const data = loads.find(({ flags: rights }) => rights.includes('W'));
  assert.ok(data && relocatedPages.size >= 4);
  // Where .bss begins inside of a page of the file, the rest of that page is cleared.
  const bssBegins = data.vaddr + data.fileSize;
  if (data.memSize > data.fileSize && bssBegins % PAGE !== 0) relocatedPages.add(down(bssBegins));
  const { totals } = evidenceIn(path, 'in-place');
  assert.is((totals.relro?.private ?? 0) + (totals.data?.private ?? 0), relocatedPages.size);
  assert.equal([totals.text?.private, totals.rodata?.private, totals.bss?.resident], [0, 0, 0]);
  assert.is(totals.text?.resident, totals.text?.pages);
});

writing('a library without relocations moves none', () => {
  const plain = compileC('int values[2048] = {1}; int first(void) { return 1; }', {
    name: 'libplain.so',
    kind: 'shared',
    flags: [...flags, '-fvisibility=hidden'],
  });
  assert.is(headersOf(plain).relocatedPages.size, 0);
  const { totals } = evidenceIn(plain, 'in-place');
  for (const counts of Object.values(totals)) assert.is(counts.private, 0);
});

writing('of a copy everything is private, text as well', () => {
  const { totals, summary } = evidenceIn(build('libcopied.so'), 'copy');
  for (const kind of ['text', 'rodata', 'relro', 'data'] as const)
    assert.equal(
      [totals[kind]?.resident, totals[kind]?.private],
      [totals[kind]?.pages, totals[kind]?.pages],
      kind,
    );
  const { pages } = totals.text ?? { pages: 0 };
  assert.match(
    summary,
    new RegExp(`^0 of ${pages} resident text pages .*, ${pages} are copies; 0 lie in NVM$|CAP_SYS_ADMIN`),
  );
});

writing.run();

const programs = suite('evidence: programs');

interface Report {
  exitCode: number;
  way: string;
  evidence: Evidence;
}

function reportOf(args: string[], options: object = {}): Report {
  const { stderr, status } = insitu(['run', '--report=json', ...args], options);
  const report = JSON.parse(stderr) as Report;
  assert.is(report.exitCode, status);
  return report;
}

const main = `
  #include <string.h>
  char zeroed[5 * 4096];
  char initialized[4 * 4096] = {1};
  const char *const names[1024] = {"a", "b"};
  int main(void) { memset(zeroed, 1, sizeof zeroed); memset(initialized, 2, sizeof initialized); return !names[1]; }
`;

for (const kind of ['static', 'static-pie', 'pie', 'no-pie'] as const)
  for (const way of ['in-place', 'copy'] as const)
    programs(
      `${kind}, ${way}: RELRO, data and .bss told apart, and anonymous memory of the program's own`,
      () => {
        const path = compileC(main, { name: `program-${kind}`, kind, flags: ['-Wl,-z,relro,-z,now'] });
        const { evidence } = reportOf([...(way === 'copy' ? ['--copy'] : []), path]);
        const { totals, files = [] } = evidence;
        const pages = Object.entries(totals).map(([name, counts]) => [name, counts?.pages]);
        assert.equal(Object.fromEntries(pages), pagesOf(path));
        assert.ok((totals.bss?.private ?? 0) >= 5, 'written .bss');
        assert.ok((totals.data?.private ?? 0) >= 4, 'written data');
        const { resident, private: own } = totals.text ?? { resident: null, private: null };
        assert.ok(resident !== null && resident > 0);
        assert.is(own, way === 'copy' ? resident : 0);
        assert.is(files[0]?.path, path);
        if (kind === 'static' || kind === 'static-pie') return assert.is(files.length, 1);
        assert.match(files[1]?.path ?? '', /\/ld-linux|\/ld-2/);
        assert.ok(files.some((file) => /\/libc\.so/.test(file.path)));
        assert.is(new Set(files.map((file) => file.path)).size, files.length);
      },
    );

programs('a program that became another one says so', () => {
  const { evidence } = reportOf(['/bin/sh', '-c', 'exec /bin/true']);
  assert.match(evidence.summary, /^it had become \/[^ ]*\/true: \d+ of \d+ /);
  assert.match(evidence.files?.[0]?.path ?? '', /\/true$/);
});

programs('a script is its interpreter', () => {
  const script = join(temporaryDirectory(), 'script');
  writeFileSync(script, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  const { evidence, exitCode } = reportOf([script]);
  assert.is(exitCode, 3);
  assert.match(evidence.summary, /^of its interpreter \/[^ ]+: /);
});

programs('a program that is replaced while it runs is still the one that was started', () => {
  const directory = mkdtempSync(join(temporaryDirectory(), 'replaced-'));
  const path = join(directory, 'sh');
  copyFileSync('/bin/sh', path);
  for (const way of [[], ['--copy']]) {
    const { evidence } = reportOf([...way, path, '-c', `cp /bin/true ${path}.new && mv ${path}.new ${path}`]);
    assert.equal([evidence.files?.[0]?.path, (evidence.totals.text?.resident ?? 0) > 0], [path, true]);
    copyFileSync('/bin/sh', `${path}.new`);
    rmSync(path);
    copyFileSync('/bin/sh', path);
    chmodSync(path, 0o755);
  }
});

programs('a program at an offset of a file, and nothing else of that file', () => {
  const program = compileC(main, { name: 'held', kind: 'static-pie' });
  const held = join(temporaryDirectory(), 'holder');
  execFileSync('sh', ['-c', `head -c 12288 /dev/zero | cat - ${program} > ${held}`]);
  const { evidence, way } = reportOf([`${held}@0x3000`]);
  const pages = Object.entries(evidence.totals).map(([name, counts]) => [name, counts?.pages]);
  assert.equal([way, Object.fromEntries(pages)], ['runner', pagesOf(program)]);
});

programs.run();

const claims = suite('evidence: what is claimed');

const census = (more: Partial<RangeCensus> = {}): RangeCensus => ({
  ...{ kind: 0, address: 0x1000n, length: 4 * PAGE },
  ...{ pages: 4, present: 4, nvm: 0, ram: 0, other: 0, unknown: 0, anonymous: 0, swapped: 0, readable: true },
  ...more,
});
const of = (
  more: Partial<RangeCensus>,
  medium: 'dax' | 'devdax' | 'ram' | 'page-cache',
): [RangeEvidence[], string] => {
  const evidence = asEvidence([census(more)], medium);
  return [evidence, summarise(evidence, medium)];
};

claims('in NVM only by frame', () => {
  for (const medium of ['dax', 'devdax'] as const) {
    assert.is(of({ nvm: 4 }, medium)[1], '4 of 4 resident text pages lie in NVM, 0 in System RAM');
    assert.is(
      of({ ram: 4, anonymous: 4 }, medium)[1],
      '0 of 4 resident text pages lie in NVM, 4 in System RAM',
    );
    const [hidden, summary] = of({ unknown: 4, anonymous: 4 }, medium);
    assert.match(summary, /^4 text pages are resident; frame numbers need CAP_SYS_ADMIN/);
    assert.not.match(summary, /NVM|file's own/);
    const { nvm, ram, private: own, resident } = totalsOf(hidden).text ?? {};
    assert.equal([nvm, ram, own, resident], [null, null, null, 4]);
    assert.is(sourceOf(hidden), 'page types, frame numbers are hidden');
  }
});

claims('never of a negative medium', () => {
  assert.match(
    of({ ram: 4 }, 'ram')[1],
    /^4 of 4 .*RAM file system itself \(volatile\), 0 are copies; 0 lie in NVM$/,
  );
  assert.match(of({ ram: 4, anonymous: 4 }, 'ram')[1], /^0 of 4 .*, 4 are copies; 0 lie in NVM$/);
  assert.match(
    of({ ram: 4 }, 'page-cache')[1],
    /^4 of 4 .*frames of the page cache, itself a copy, 0 are copies; 0 lie in NVM$/,
  );
  assert.match(
    of({ unknown: 4, anonymous: 1 }, 'page-cache')[1],
    /^3 of 4 resident text pages are the file's own; frame/,
  );
});

claims('nothing where nothing could be read', () => {
  const [unreadable, summary] = of({ readable: false, present: 0 }, 'ram');
  assert.match(summary, /could not be read/);
  const { pages, resident, nvm, private: own } = totalsOf(unreadable).text ?? {};
  assert.equal([pages, resident, nvm, own], [4, null, null, null]);
});

const nobody = process.getuid?.() === 0 ? claims : claims.skip;
nobody('without CAP_SYS_ADMIN frame numbers are hidden, and the table shows dashes', () => {
  const drop = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
  const path = new URL('../../dist/runtime/cli/main.cjs', import.meta.url).pathname;
  const { status, stderr } = spawnSync(
    'setpriv',
    [...drop, process.execPath, path, 'run', '--report', '/bin/true'],
    {
      encoding: 'utf8',
    },
  );
  assert.is(status, 0, stderr);
  assert.match(stderr, /own; frame numbers need CAP_SYS_ADMIN/);
  assert.match(stderr, /^text +\d+ +\d+ +– +– +0$/m);
});

claims.run();

import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sense } from '../../loader/backing.ts';
import { buildSamples } from '../../samples/build.ts';
import { compileC } from '../build/compile.ts';
import { inRam, insitu, ramIsMissing } from './insitu.ts';

const compare = suite('insitu compare');
const samples = buildSamples();
const directory = mkdtempSync(join(tmpdir(), 'insitu-compare-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const crc = ['--call', 'ulong crc32(ulong, str, uint)', '0', 'hello', '5'];

type Counts = Record<'pages' | 'resident' | 'private', number>;

interface Way {
  name: string;
  evidence: Record<string, Counts> | null;
  medianNs: number;
  minNs: number;
  p90Ns: number;
  phases: Record<string, number>;
  bytesInPlace: number;
  bytesCopied: number;
}

function comparison(...args: string[]) {
  const { status, stdout, stderr } = insitu(['compare', '--json', ...args]);
  assert.equal([status, stderr], [0, ''], args.join(' '));
  const found = JSON.parse(stdout);
  assert.equal(
    Object.keys(found).sort(),
    'backing file format notes ratios runs temperature ways'.split(' '),
  );
  const ways = new Map<string, Way>(found.ways.map((way: Way) => [way.name, way]));
  return { found, ways };
}

function refused(status: number, message: RegExp, ...args: string[]): void {
  const outcome = insitu(['compare', ...args]);
  assert.equal([outcome.status, outcome.stdout], [status, ''], args.join(' '));
  assert.match(outcome.stderr, message);
  assert.match(outcome.stderr, /^insitu: [^\n]*\n$/, 'one line');
}

const wayKeys =
  'name medianNs minNs p90Ns firstMedianNs phases bytesInPlace bytesCopied minorFaults majorFaults privateBytes evidence';

compare('a library: four ways, their numbers and ratios', () => {
  const { found, ways } = comparison('--runs', '2', samples.hash);
  assert.equal([found.file, found.format, found.runs], [samples.hash, 'elf-shared', 2]);
  assert.is(found.temperature, 'warm');
  assert.equal([...ways.keys()], ['in-place', 'copy-load', 'dlopen', 'mmap-floor']);
  for (const way of found.ways) {
    assert.equal(Object.keys(way).sort(), wayKeys.split(' ').sort(), way.name);
    for (const [key, value] of Object.entries(way))
      if (!['name', 'phases', 'evidence'].includes(key))
        assert.ok(Number.isFinite(value), `${way.name}.${key}`);
    assert.ok(way.minNs > 0 && way.minNs <= way.medianNs && way.medianNs <= way.p90Ns, way.name);
  }
  assert.equal(Object.keys(found.ratios[0]), ['name', 'value']);
  const names = found.ratios.map(({ name }: { name: string }) => name);
  assert.ok(names.includes('copy-load / in-place') && names.includes('dlopen / in-place'));
  assert.ok((ways.get('in-place')?.bytesInPlace ?? 0) > 0);
  assert.is(ways.get('in-place')?.bytesCopied, 0);
  assert.ok((ways.get('copy-load')?.bytesCopied ?? 0) > 0);
  assert.is(ways.get('copy-load')?.bytesInPlace, 0);
  assert.ok('map' in (ways.get('in-place')?.phases ?? {}) && 'copy' in (ways.get('copy-load')?.phases ?? {}));
});

compare('where the pages of each way were in the end: of a library, all text touched', () => {
  const { ways } = comparison('--runs', '1', samples.hash);
  const text = (way: string) => {
    const counts = ways.get(way)?.evidence?.text;
    return counts && [counts.resident === counts.pages, counts.private];
  };
  assert.equal([text('in-place'), text('dlopen'), text('mmap-floor')], [[true, 0], [true, 0], undefined]);
  const copied = ways.get('copy-load')?.evidence;
  for (const kind of ['text', 'rodata', 'data'])
    assert.is(copied?.[kind]?.private, copied?.[kind]?.pages, `${kind} of the copy`);
  assert.match(insitu(['compare', '--runs', '1', samples.hash]).stdout, /^pages in the end +text +rodata /m);
});

compare('and of a program, what it touched itself', () => {
  const { ways } = comparison('--runs', '1', '/bin/true');
  for (const [way, isCopy] of [
    ['in-place', false],
    ['execve', false],
    ['copy-load', true],
  ] as const) {
    const text = ways.get(way)?.evidence?.text;
    assert.ok(text && text.resident > 0, way);
    assert.is(text.private, isCopy ? text.resident : 0, way);
  }
});

compare('a library with its first call', () => {
  const { ways } = comparison('--runs', '1', samples.hash, ...crc);
  for (const name of ['in-place', 'copy-load', 'dlopen'])
    assert.ok('call' in (ways.get(name)?.phases ?? {}), name);
});

compare('a program, with arguments', () => {
  const { found, ways } = comparison('--runs', '1', '/bin/sh', '--', '-c', 'exit 3');
  assert.is(found.format, 'elf-program');
  assert.equal([...ways.keys()], ['in-place', 'copy-load', 'execve', 'mmap-floor']);
  assert.ok((ways.get('copy-load')?.bytesCopied ?? 0) > 0);
  assert.ok(found.ratios.some(({ name }: { name: string }) => name === 'execve / in-place'));
});

compare('a table for people that says which temperature it is of', () => {
  const { status, stdout, stderr } = insitu(['compare', '--runs=1', samples.hash]);
  assert.equal([status, stderr], [0, '']); // no progress where there is no terminal
  assert.match(stdout, /: 1 samples a way, warm$/m);
  for (const name of ['in-place', 'copy-load', 'dlopen', 'mmap-floor'])
    assert.match(stdout, new RegExp(`^${name} +[\\d.]+ (ns|µs|ms|s) `, 'm'));
  assert.match(stdout, /^ {2}dlopen \/ in-place: [\d.]+/m);
});

const cached = sense(samples.hash).medium === 'page-cache';
const withCache = cached ? compare : compare.skip;
withCache(
  `--cold drops the file from the page cache${cached ? '' : ': build/ is on no block device'}`,
  () => {
    const library = join(directory, 'libhash.so');
    copyFileSync(samples.hash, library);
    const { found } = comparison('--cold', '--runs', '1', library);
    assert.is(found.temperature, 'cold');
    assert.match(insitu(['compare', '--cold', '--runs', '1', library]).stdout, /samples a way, cold$/m);
  },
);

const missing = ramIsMissing();
const withRam = missing ? compare.skip : compare;
withRam(`--cold means nothing on a RAM file system${missing && `: ${missing}`}`, () => {
  refused(126, /is on tmpfs, its own storage; --cold wants the page cache/, '--cold', inRam(samples.hash));
  const { found } = comparison('--runs', '1', inRam(samples.hash));
  assert.equal([found.backing.medium, found.backing.volatile], ['ram', true]);
  assert.ok(found.notes.some((note: string) => note.includes('volatile')));
});

compare('refuses what can not be compared', () => {
  refused(127, /ENOENT/, join(directory, 'nowhere'));
  const script = join(directory, 'script');
  writeFileSync(script, '#!/bin/sh\n', { mode: 0o755 });
  refused(126, /is a script; want an ELF library or program/, script);
  refused(126, /want/, '/etc/passwd');
  refused(126, /is a directory/, directory);
  refused(2, /takes 3 arguments; found 1/, samples.hash, ...crc.slice(0, 3));
  refused(126, /nowhere/, '--runs=1', samples.hash, '--call', 'int nowhere(void)');
  const privileged = join(directory, 'privileged');
  copyFileSync('/bin/true', privileged);
  chmodSync(privileged, 0o4755);
  refused(126, /is set-user-ID; want/, '--runs=1', privileged);
});

compare('a call wants a library, arguments a program', () => {
  refused(126, /is a library; arguments behind -- want a program/, samples.hash, '--', 'x');
  refused(
    126,
    /is an ELF program; --call wants a library/,
    '--runs=1',
    '/bin/true',
    '--call',
    'int main(void)',
  );
});

compare('a way that fails is no fast one', () => {
  const flags = ['-z', 'execstack']; // the kernel starts it, insitu-exec does not
  const program = compileC('int main(void) { return 0; }', { name: 'execstack', kind: 'pie', flags });
  refused(
    126,
    /in-place ended with exit code 126; want exit code 0, as execve|executable stack/,
    '--runs=1',
    program,
  );
});

compare.run();

// Startup figures on generated libraries and programs, against the bars they are meant to meet, and the memory of 16
// processes. Times are printed, never asserted; facts (bytes copied, pages shared) are.
//   node --import tsx test/bench/startup.ts [--runs N] [--sizes 1,16,128]
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { Comparison, Way } from '../../runtime/compare/index.ts';
import { generatedDirectory, generateLibrary, generateProgram } from '../build/generate.ts';
import { measureSharing } from './sharing.ts';

const cli = fileURLToPath(new URL('../../dist/runtime/cli/main.cjs', import.meta.url));
const run = promisify(execFile);
const { values } = parseArgs({ options: { runs: { type: 'string' }, sizes: { type: 'string' } } });
const runs = values.runs ?? '15';
const sizes = (values.sizes ?? '1,16,128').split(',').map(Number);

let passed = 0;
let failed = 0;
const bars: string[] = [];

function fact(name: string, holds: boolean, found: string): void {
  if (holds) passed++;
  else failed++;
  console.log(`${holds ? '  ok  ' : ' FAIL '} ${name}: ${found}`);
}

/** A bar is a ratio that is wanted; meeting it is reported, not asserted: this machine may be busy. */
function bar(name: string, value: number, relation: '<=' | '>=', limit: number): void {
  const met = relation === '<=' ? value <= limit : value >= limit;
  bars.push(
    `${met ? 'met    ' : 'NOT MET'}  ${name}: ${value.toFixed(value < 10 ? 2 : 0)} (want ${relation} ${limit})`,
  );
}

async function compareFile(file: string, ...extra: string[]): Promise<Comparison> {
  const { stdout } = await run(process.execPath, [cli, 'compare', '--json', '--runs', runs, file, ...extra], {
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout) as Comparison;
}

const way = (comparison: Comparison, name: string): Way => {
  const found = comparison.ways.find((w) => w.name === name);
  if (!found) throw new Error(`no way ${name} in the comparison of ${comparison.file}`);
  return found;
};
const us = (ns: number) => (ns / 1000).toFixed(1).padStart(10);

function printRow(label: string, comparison: Comparison): void {
  const cells = comparison.ways.map((w) => `${us(w.medianNs)} ${us(w.firstMedianNs)}`);
  console.log(`${label.padEnd(22)} ${cells.join(' |')}`);
}

async function libraries(): Promise<void> {
  console.log(
    `\nlibraries: load and first call, µs, medians of ${runs} fresh processes (later load, first load of a process)`,
  );
  console.log(
    `${''.padEnd(22)} ${['in-place', 'copy-load', 'dlopen', 'mmap-floor'].map((n) => n.padStart(21)).join(' |')}`,
  );
  const inPlace = new Map<string, number>();
  for (const relocations of ['none', 'many'] as const)
    for (const textMiB of sizes) {
      const label = `${textMiB} MiB, ${relocations === 'none' ? 'no' : 'many'} relocations`;
      const comparison = await compareFile(
        generateLibrary({ textMiB, relocations }),
        '--call',
        'int answer(void)',
      );
      printRow(label, comparison);
      const [place, copy, peer, floor] = ['in-place', 'copy-load', 'dlopen', 'mmap-floor'].map((n) =>
        way(comparison, n),
      ) as [Way, Way, Way, Way];
      inPlace.set(`${textMiB} ${relocations}`, place.medianNs);
      fact(`${label}: bytes copied in place`, place.bytesCopied === 0, `${place.bytesCopied}`);
      bar(`${label}: in-place / dlopen`, place.medianNs / peer.medianNs, '<=', 1);
      bar(
        `${label}: first load costs more than a later one, ms`,
        (place.firstMedianNs - place.medianNs) / 1e6,
        '<=',
        1,
      );
      if (relocations === 'none') {
        const { map = 0, link = 0, call = 0 } = place.phases;
        bar(`${label}: map to first call / mmap-floor`, (map + link + call) / floor.medianNs, '<=', 4);
      }
      if (textMiB === 128 && relocations === 'none')
        bar(`${label}: copy-load / in-place`, copy.medianNs / place.medianNs, '>=', 1000);
    }
  const small = inPlace.get('1 none');
  const large = inPlace.get('128 none');
  if (small && large) bar('in place, 128 MiB / 1 MiB', large / small, '<=', 3);
}

async function programs(): Promise<void> {
  console.log(`\nprograms: from vfork to their end, µs`);
  console.log(
    `${''.padEnd(22)} ${['in-place', 'copy-load', 'execve', 'mmap-floor'].map((n) => n.padStart(21)).join(' |')}`,
  );
  for (const kind of ['static', 'pie'] as const)
    for (const textMiB of sizes) {
      const label = `${textMiB} MiB, ${kind}`;
      const comparison = await compareFile(generateProgram({ textMiB, kind }));
      printRow(label, comparison);
      const place = way(comparison, 'in-place');
      fact(`${label}: bytes copied in place`, place.bytesCopied === 0, `${place.bytesCopied}`);
      bar(`${label}: in-place / execve`, place.medianNs / way(comparison, 'execve').medianNs, '<=', 1.2);
      if (textMiB === 128)
        bar(
          `${label}: copy-load / in-place`,
          way(comparison, 'copy-load').medianNs / place.medianNs,
          '>=',
          100,
        );
    }
}

async function memory(): Promise<void> {
  const textMiB = Math.max(...sizes);
  const processes = 16;
  const file = generateLibrary({ textMiB, relocations: 'none' });
  console.log(
    `\nmemory: ${processes} processes, each having touched all ${textMiB} MiB of one library's text`,
  );
  for (const place of ['in-place', 'copy'] as const) {
    const mib = await measureSharing(file, place, processes);
    const [low, high] = place === 'in-place' ? [0.95, 1.1] : [processes * 0.95, processes * 1.1];
    const copies = mib / textMiB;
    const found = `${mib.toFixed(1)} MiB of text in all (sum of Pss), ${copies.toFixed(2)} copies`;
    fact(
      `${place}: text held ${place === 'in-place' ? 'once' : `${processes} times`}`,
      copies >= low && copies <= high,
      found,
    );
  }
}

// Hundreds of MiB of somebody's RAM.
process.on('exit', () => rmSync(generatedDirectory(), { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

await libraries();
await programs();
await memory();
console.log(`\nbars\n${bars.join('\n')}\n`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;

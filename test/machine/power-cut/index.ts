// Power cuts: what was synced survives them, on every medium that promises it, and what was placed is old or new, whole.
// To run it alone: node --import tsx test/machine/power-cut/index.ts [seed]

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Check, print } from '../checks.ts';
import { type Kernel, prepareKernel } from '../kernel.ts';
import { installPackages } from '../packages.ts';
import { planted } from './plants.ts';
import { Session } from './session.ts';
import { type Keeping, streams } from './streams.ts';
import type { Told } from './told.ts';

export interface PowerCutOptions {
  /** The compiled guest code: build/test/machine. */
  code: string;
  /** Of the moments of the cuts. It is printed, to be given again; the machine itself goes its own way each time. */
  seed?: number;
  /** Cut points in one boot, at each of which everything is checked. */
  cuts?: number;
  /** Real ones: the machine is killed and booted again. */
  kills?: number;
}

/** @returns each a test, counted once */
export async function powerCuts(kernel: Kernel, options: PowerCutOptions): Promise<Check[]> {
  const { code, seed = Date.now() % 1e6, cuts = 100, kills = 5 } = options;
  console.log(`power cuts, seed ${seed}`);
  const random = randomOf(seed);
  const directory = mkdtempSync(join(tmpdir(), 'insitu-power-cut-'));
  const tidy = () => rmSync(directory, { recursive: true, force: true });
  process.on('exit', tidy);
  try {
    const plants = planted(random, directory);
    const session = new Session(kernel, { random, cuts, kills, code, directory });
    await session.run();
    const { atCuts, atKills, told } = session;
    const [records, files] = [atCuts, atKills].reduce(
      ([r, f], { checked }) => [r + checked.records, f + checked.files],
      [0, 0],
    );
    console.log(
      `${cuts} cut points and ${kills} power cuts: ${records} synced records and ${files} placed files checked`,
    );
    return [...plants, ...atCuts.results(cuts), ...atKills.results(kills), ...promises(told, kills)];
  } catch (error) {
    return [{ name: 'power cuts', ok: false, detail: (error as Error).message }];
  } finally {
    tidy();
    process.off('exit', tidy);
  }
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What insitu's interface has to say of a sync on each kind of medium. */
const said: Record<Keeping, RegExp> = {
  'by the processor': /^power-cut .*\bfence\b/,
  'by msync': /^power-cut msync/,
  nothing: /^nothing .*volatile/,
};

function promises(told: Told, kills: number): Check[] {
  const { promises, stored, found, unexpected } = told;
  const wrong = streams.filter(({ name, promise }) => !said[promise].test(promises.get(name) ?? ''));
  const volatile = found.filter(({ stream, where }) => stream === 'tmpfs' && where !== 'start');
  const lost = volatile.every(({ whole }) => whole.length === 0) && volatile.length === kills;
  return [
    {
      name: 'nvm.promise tells what survives, medium by medium',
      ok: wrong.length === 0,
      detail: wrong.map(({ name }) => `${name}: ${promises.get(name)}`).join('\n'),
    },
    {
      name: 'tmpfs: nothing promised, nothing left',
      ok: lost && (stored.get('tmpfs') ?? 0) > 0 && !told.snapshot().synced.has('tmpfs'),
      detail: `${stored.get('tmpfs')} records stored`,
    },
    {
      name: 'the guest had nothing else to say',
      ok: unexpected.length === 0,
      detail: unexpected.slice(0, 20).join('\n'),
    },
  ];
}

async function main(seed: string | undefined): Promise<boolean> {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  installPackages();
  execFileSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.machine.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  const code = join(root, 'build/test/machine');
  const results = await powerCuts(prepareKernel(), {
    code,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
  print(results);
  return results.every(({ ok }) => ok);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = (await main(process.argv[2])) ? 0 : 1;

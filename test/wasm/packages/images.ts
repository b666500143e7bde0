// The images of what a package runs.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import type { Tier } from '../../../loader/compile/toolchain.ts';
import { install } from '../../../loader/images/install.ts';
import { cli, root } from './places.ts';
import type { Module, Row } from './table.ts';

const SHOWN = 12; // digits of a hash
const timeout = 600_000; // ms

/** Paths of images by the names of the modules. @throws Error when one cannot be compiled */
export const imagesOf = (
  { name, command, modules }: Row,
  store: string,
  tier: Tier,
): Promise<Map<string, string>> =>
  modules === 'met' ? learnt(name, command, store, tier) : installed(modules, store, tier);

/** As a user has it done: the job is run, then what it compiled. By hashes, as nothing else is known of them. */
async function learnt(name: string, command: readonly string[], store: string, tier: Tier) {
  const env = { ...process.env, INSITU_STORE: store };
  const args = ['install', `--tier=${tier}`, '--json', '--from', ...command];
  const done = spawnSync(process.execPath, [cli, ...args], { cwd: root, env, encoding: 'utf8', timeout });
  if (done.status !== 0) throw new Error(done.stderr);
  const { installed } = JSON.parse(done.stdout) as {
    installed: { sha256: string; image: string; elapsedNs: number }[];
  };
  const took = installed.reduce((sum, { elapsedNs }) => sum + elapsedNs, 0) / 1e9;
  console.log(`     ${name}: ${installed.length} modules learnt: ${took.toFixed(1)} s`);
  return new Map(installed.map(({ sha256, image }) => [sha256.slice(0, SHOWN), image]));
}

async function installed(modules: readonly Module[], store: string, tier: Tier) {
  const images = new Map<string, string>();
  for (const module of modules) {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const { image, status, record } = await install(module.bytes(), { tier, root: store, from: module.name });
    images.set(module.name, image);
    const { user } = process.cpuUsage(cpu);
    const took = `${((performance.now() - began) / 1000).toFixed(1)} s, ${(user / 1e6).toFixed(1)} s of it translating`;
    console.log(`     ${module.name}: ${status}, ${record.tier} tier: ${took}`);
  }
  return images;
}

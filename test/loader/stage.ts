// What child.ts starts: runs a function that is given as source, with everything it may want.
import '../../loader/store/entry.ts'; // what loadSync would require: tsx makes a second copy of what is required
import * as fs from 'node:fs';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import * as backing from '../../loader/backing.ts';
import * as image from '../../loader/image.ts';
import { native, slots } from '../../loader/native.ts';
import * as nvm from '../../loader/nvm.ts';
import * as plan from '../../loader/plan.ts';
import * as catalog from '../../loader/store/catalog.ts';
import * as create from '../../loader/store/create.ts';
import * as directory from '../../loader/store/directory.ts';
import * as layOut from '../../loader/store/lay-out.ts';
import * as locate from '../../loader/store/locate.ts';
import * as place from '../../loader/store/place.ts';
import * as region from '../../loader/store/region.ts';
import * as verify from '../../loader/store/verify.ts';
import { load, loadSync } from '../../runtime/library/index.ts';

/** What an error looks like from outside. */
export interface Thrown {
  name: string;
  code: string | undefined;
  message: string;
  path: string | undefined;
}

const asThrown = (error: unknown): Thrown => {
  const { name, code, message, path } = error as Error & { code?: string; path?: string };
  return { name, code, message, path };
};

const stage = {
  fs,
  process,
  Worker,
  backing,
  image,
  native,
  slots,
  nvm,
  plan,
  store: { ...catalog, ...create, ...directory, ...layOut, ...locate, ...place, ...region, ...verify },
  load,
  loadSync,
  /** What an action throws; null when it does not. */
  thrown(action: () => unknown): Thrown | null {
    try {
      action();
    } catch (error) {
      return asThrown(error);
    }
    return null;
  },
  asThrown,
  /** Lines of /proc/self/maps that name a file. */
  mapsOf(path: string): string[] {
    return fs
      .readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => line.endsWith(path));
  },
  openDescriptors(): number {
    return fs.readdirSync('/proc/self/fd').length;
  },
};

export type Stage = typeof stage;

async function main(source: string, args: string): Promise<void> {
  Object.assign(globalThis, { __name: (named: unknown) => named }); // esbuild's, which tsx compiles with
  const act = new Function(`return (${source})`)() as (...all: unknown[]) => unknown;
  const result = await act(stage, ...(JSON.parse(args) as unknown[]));
  const text = JSON.stringify(result, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  fs.writeSync(1, `\n${text}\n`);
}

await main(process.argv[2] as string, process.argv[3] as string);

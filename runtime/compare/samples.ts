// Samples: each in a fresh process, the ways taking turns; and their medians.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LoadError } from '../../loader/error.ts';
import type { Way } from './comparison.ts';
import { SAMPLE_MARK, type Sample, type WayName } from './request.ts';

const run = promisify(execFile);

const sampleIn = (stdout: string): string =>
  stdout
    .split('\n')
    .find((text) => text.startsWith(SAMPLE_MARK))
    ?.slice(SAMPLE_MARK.length) ?? '';

/** Runs what prints a sample. @throws LoadError about `file` when there is none */
export async function runSample(
  command: string,
  args: readonly string[],
  { file, way }: { file: string; way: string },
): Promise<Sample> {
  // What the parent's environment adds to a start of Node is no part of what is compared.
  const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...env } = process.env;
  try {
    const { stdout } = await run(command, [...args], { env });
    const sample = JSON.parse(sampleIn(stdout)) as Sample | { failed: string };
    if ('failed' in sample) throw new LoadError('ERR_SYSTEM', file, `${way}: ${sample.failed}`);
    return sample;
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const { code, signal, stderr } = error as { code?: number; signal?: string; stderr?: string };
    const told = stderr?.trim().split('\n').at(-1) || `ended with ${signal ?? `exit code ${code}`}`;
    throw new LoadError('ERR_SYSTEM', file, `sample of ${way} failed: ${told}`);
  }
}

export interface Turn {
  name: WayName;
  /** After another small file was loaded the same way. */
  warm: boolean;
  evidence: boolean;
}

export interface Samples {
  warm: Map<WayName, Sample[]>;
  first: Map<WayName, Sample[]>;
}

/** `runs` warm and as many first samples of each way, interleaved. */
export async function takeTurns(
  names: readonly WayName[],
  runs: number,
  take: (turn: Turn) => Promise<Sample>,
  onProgress?: (done: number, total: number) => void,
): Promise<Samples> {
  const empty = () => new Map<WayName, Sample[]>(names.map((name) => [name, []]));
  const [warm, first] = [empty(), empty()];
  const total = runs * names.length * 2;
  let done = 0;
  for (let i = 0; i < runs; i++)
    for (let k = 0; k < names.length; k++) {
      const name = names[(i + k) % names.length] as WayName;
      for (const isWarm of [true, false]) {
        const sample = await take({ name, warm: isWarm, evidence: isWarm && i === 0 });
        (isWarm ? warm : first).get(name)?.push(sample);
        onProgress?.(++done, total);
      }
    }
  return { warm, first };
}

const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
const median = (values: number[]) => quantile(values, 0.5);

function quantile(values: number[], q: number): number {
  const list = sorted(values);
  return list[Math.min(list.length - 1, Math.floor(list.length * q))] ?? Number.NaN;
}

export function summarise(name: WayName, samples: Samples): Way {
  const warm = samples.warm.get(name) ?? [];
  const first = samples.first.get(name) ?? [];
  const of = (key: 'ns' | 'bytesInPlace' | 'bytesCopied' | 'minorFaults' | 'majorFaults' | 'privateBytes') =>
    warm.map((sample) => sample[key]);
  const phaseNames = Object.keys(warm[0]?.phases ?? {});
  return {
    name,
    medianNs: median(of('ns')),
    minNs: Math.min(...of('ns')),
    p90Ns: quantile(of('ns'), 0.9),
    firstMedianNs: median(first.map((sample) => sample.ns)),
    phases: Object.fromEntries(
      phaseNames.map((key) => [key, median(warm.map(({ phases }) => phases[key] ?? 0))]),
    ),
    bytesInPlace: median(of('bytesInPlace')),
    bytesCopied: median(of('bytesCopied')),
    minorFaults: median(of('minorFaults')),
    majorFaults: median(of('majorFaults')),
    privateBytes: median(of('privateBytes')),
    evidence: warm.find(({ evidence }) => evidence)?.evidence ?? null,
  };
}

/** The ways that `name` ended in, each once. */
export const endingsOf = (samples: Samples, name: WayName): Set<string> =>
  new Set(samples.warm.get(name)?.map(({ ending }) => ending ?? ''));

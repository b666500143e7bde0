// insitu compare for WebAssembly: load, instantiate and first call, from the image in place against its copy, V8,
// the C library's loader, and Wasmtime where there is one.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { LoadError } from '../../../loader/error.ts';
import { native } from '../../../loader/native.ts';
import { moduleFile } from '../../../loader/root.ts';
import { type CompareOptions, type Comparison, ratio, type Way } from '../comparison.ts';
import { mediumNotes, requestFor, takeSample, wantPageCache } from '../index.ts';
import type { WayName } from '../request.ts';
import { endingsOf, runSample, type Samples, summarise, type Turn, takeTurns } from '../samples.ts';
import type { ModuleRequest } from './request.ts';
import { makeSmall } from './small.ts';
import { examine, type Subject } from './subject.ts';
import { prepareWasmtime, sampleWasmtime, type Wasmtime } from './wasmtime.ts';

const sampleFile = moduleFile('runtime/compare/wasm/sample');

/** Node 20 to 26: every function compiled, by V8's first tier, before there is an instance. */
const EAGER = '--no-wasm-lazy-compilation';

/** @throws LoadError when the module is not installed, its call cannot be made, or a sample fails */
export async function compareModule(path: string, options: CompareOptions): Promise<Comparison> {
  const { runs = 20, cold = false } = options;
  if (options.args?.length)
    throw new LoadError('ERR_FORMAT', path, 'is a module; arguments behind -- want an ELF program');
  const subject = examine(path, options);
  if (cold) wantPageCache(subject.found.image, subject.backing);
  const directory = mkdtempSync(join(tmpdir(), 'insitu-compare-'));
  try {
    const race = await prepareRace(path, options, subject, directory);
    const samples = await takeTurns(race.names, runs, (turn) => race.take(turn), options.onProgress);
    wantSameEnding(path, samples);
    const ways = race.names.map((name) => summarise(name, samples));
    const { backing } = subject;
    const temperature = cold ? 'cold' : 'warm';
    const notes = [...mediumNotes(backing), ...notesOf(subject, options, samples), ...race.notes];
    const format = 'wasm-module';
    return { file: path, format, backing, runs, temperature, ways, ratios: ratiosOf(ways), notes };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Race {
  names: WayName[];
  take(turn: Turn): ReturnType<typeof runSample>;
  notes: string[];
}

async function prepareRace(
  path: string,
  options: CompareOptions,
  subject: Subject,
  directory: string,
): Promise<Race> {
  const { found, image, imports, call } = subject;
  const library = requestFor(found.image, 'dlopen', image, {});
  const small = await makeSmall(
    directory,
    imports.some(({ kind }) => kind === 'memory'),
  );
  const common = { file: path, small, imports, text: library.text };
  const importsFrom = options.imports === undefined ? {} : { importsFrom: resolve(options.imports) };
  const names: WayName[] = ['in-place', 'copy-load', 'v8', 'v8-eager', 'dlopen'];
  const notes: string[] = [];
  const { INSITU_WASMTIME } = process.env;
  let wasmtime: Wasmtime | undefined;
  if (INSITU_WASMTIME)
    try {
      wasmtime = await prepareWasmtime(INSITU_WASMTIME, path, small, directory);
      names.push('wasmtime');
      notes.push(
        'wasmtime: a .cwasm that is mapped; its engine and linker are made outside of what is timed',
      );
    } catch (error) {
      notes.push(`no wasmtime: ${(error as Error).message.trim().split('\n').at(-1)}`);
    }
  const take = ({ name, warm, evidence }: Turn) => {
    if (options.cold)
      for (const file of [path, found.image, ...(wasmtime ? [wasmtime.module] : [])])
        native.dropPageCache(file);
    if (name === 'dlopen') return takeSample({ ...library, warm, evidence });
    if (name === 'wasmtime') return sampleWasmtime(wasmtime as Wasmtime, warm, call, path);
    const request: ModuleRequest = {
      ...common,
      ...importsFrom,
      ...(call ? { call } : {}),
      way: name,
      warm,
      evidence,
    };
    const flags = name === 'v8-eager' ? [EAGER] : [];
    return runSample(
      process.execPath,
      [...process.execArgv, ...flags, sampleFile, JSON.stringify(request)],
      request,
    );
  };
  return { names, take, notes };
}

const withoutValue = (ending: string): string => ending.split(' ')[0] ?? '';

/** @throws LoadError when a way ended as V8 never did: its times would be those of a failure */
function wantSameEnding(path: string, samples: Samples): void {
  const wanted = new Set([...endingsOf(samples, 'v8')].map(withoutValue));
  for (const name of samples.warm.keys()) {
    if (name === 'dlopen') continue;
    for (const found of endingsOf(samples, name))
      if (!wanted.has(withoutValue(found)))
        throw new LoadError(
          'ERR_SYSTEM',
          path,
          `${name}: the call ${found}; in v8 it ${[...endingsOf(samples, 'v8')]}`,
        );
  }
}

function notesOf({ found, record }: Subject, { call }: CompareOptions, samples: Samples): string[] {
  const { size } = statSync(found.image);
  const notes = [
    `image: ${found.image} (${record.tier}, ${record.cpu}, ${size} bytes)`,
    'times are of finding or reading the file, loading, instantiation and the call, with Node running',
    'private: by how much the anonymous memory of the process grew',
    'dlopen: the C library maps the image and its text is touched; no instance is made',
  ];
  if (call === undefined) notes.push('no --call: V8 compiles a function, unless eager, when it is called');
  const [ending, ...others] = new Set(
    [...samples.warm.keys()].flatMap((name) =>
      name === 'dlopen' || name === 'wasmtime' ? [] : [...endingsOf(samples, name)],
    ),
  );
  if (call !== undefined)
    notes.push(`the call ${ending}${others.length ? `, but not always: also ${others.join(', ')}` : ''}`);
  return notes;
}

function ratiosOf(ways: readonly Way[]): Comparison['ratios'] {
  const place = ways.find(({ name }) => name === 'in-place') as Way;
  const others = ways.filter(({ name }) => name !== 'in-place');
  return [
    ...others.map(({ name, medianNs }) => ratio(`${name} / in-place`, medianNs / place.medianNs)),
    ratio('in-place first load / later load', place.firstMedianNs / place.medianNs),
  ];
}

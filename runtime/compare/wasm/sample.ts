// One sample of a WebAssembly module: a fresh process loads it one way, instantiates it, makes one call, and prints what
// it measured as a line of JSON. Run by compare/wasm/index.ts as: node sample.js '<ModuleRequest as JSON>'.
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { native, slot, slots } from '../../../loader/native.ts';
import { SAMPLE_MARK, type Sample } from '../request.ts';
import { initialize, MissingImport, type Prepared, prepareImports } from './imports.ts';
import { type CallRequest, type ModuleRequest, SMALL, smallCall, smallImports } from './request.ts';
import { type Engine, engineOfImages, engineOfV8, type Instantiate } from './ways.ts';

const request = JSON.parse(process.argv[2] as string) as ModuleRequest;

type Load = (tell: (step: string) => void) => Instantiate;
type AnyFunction = (...args: unknown[]) => unknown;

/** Memory of this process that is no file's. */
function anonymousBytes(): number {
  const text = readFileSync('/proc/self/smaps_rollup', 'latin1');
  return Number(/^Anonymous:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) * 1024;
}

function valuesOf({ args }: CallRequest): unknown[] {
  return args.map(({ type, text }) => (type === 'i64' ? BigInt(text) : Number(text)));
}

/**
 * Collects what came before: otherwise a collection of it, for whose threads a busy machine has no time, falls into one
 * sample or another.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'minor' });
}

/** How the call ended: other ways have to end so too. */
function endingOf(call: () => unknown): string {
  try {
    const value = call();
    return `returned ${String(value)}`;
  } catch (error) {
    if (error instanceof MissingImport) throw error;
    return `threw ${String(error).split('\n')[0]}`;
  }
}

interface Start {
  ns: number;
  phases: Record<string, number>;
  ending: string | undefined;
}

/** Loads, instantiates and calls; the clock is read behind each step. */
function start(load: Load, { imports, wasi }: Prepared, call: CallRequest | undefined): Start {
  const values = call === undefined ? [] : valuesOf(call);
  const phases: Record<string, number> = {};
  const begin = process.hrtime.bigint();
  let last = begin;
  const tell = (step: string) => {
    const now = process.hrtime.bigint();
    phases[step] = Number(now - last);
    last = now;
  };
  const exports = load(tell)(imports);
  initialize(exports, wasi);
  tell('instantiate');
  let ending: string | undefined;
  if (call !== undefined) {
    const isCommand = wasi !== undefined && call.name === '_start';
    const target = exports[call.name] as AnyFunction;
    ending = endingOf(isCommand ? () => wasi.start({ exports }) : () => target(...values));
    tell('call');
  }
  return { ns: Number(last - begin), phases, ending };
}

/** The same of the small module: what it needs of this file is compiled then, too. */
function warmUp(engine: Engine): void {
  const prepared = { imports: smallImports(engine.namespace), wasi: undefined };
  const { ending } = start((tell) => engine.loadSmall(request.small, tell), prepared, smallCall);
  if (ending !== `returned ${SMALL.result}`) throw new Error(`the small module ${ending}`);
}

function measure(engine: Engine, prepared: Prepared): Sample {
  const { call, file } = request;
  collectGarbage();
  const anonymous = anonymousBytes();
  native.usage(slots);
  const [minor, major] = [slot(0), slot(1)];
  const { ns, phases, ending } = start((tell) => engine.load(file, tell), prepared, call);
  native.usage(slots);
  const faults = { minorFaults: slot(0) - minor, majorFaults: slot(1) - major };
  const privateBytes = Math.max(0, anonymousBytes() - anonymous);
  const seen = request.evidence ? evidenceOf(engine) : {};
  return { ns, phases, ...engine.bytes(), ...faults, privateBytes, ...(ending ? { ending } : {}), ...seen };
}

/** All of its text is touched first, or it would not be there to see. */
function evidenceOf(engine: Engine): Pick<Sample, 'evidence'> {
  const report = engine.report();
  if (report === undefined) return {};
  const { vaddr, length } = request.text;
  native.touchPages(report.bias + BigInt(vaddr), length - native.pageSize + 1);
  return { evidence: report.evidence.totals };
}

async function takeSample(): Promise<Sample> {
  const isV8 = request.way === 'v8' || request.way === 'v8-eager';
  const engine = isV8
    ? engineOfV8()
    : await engineOfImages(request.way === 'copy-load' ? 'copy' : 'in-place');
  const prepared = await prepareImports(request, engine.namespace);
  if (request.warm) warmUp(engine);
  return measure(engine, prepared);
}

const tell = (what: Sample | { failed: string }) =>
  process.stdout.write(`\n${SAMPLE_MARK}${JSON.stringify(what)}\n`);

takeSample().then(tell, (error: Error) => tell({ failed: error.message }));

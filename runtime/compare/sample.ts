// One sample: a fresh process loads one file one way, and prints what it measured as a line of JSON. Run by
// compare/index.ts as: node sample.js '<Request as JSON>'.

import { OpenFile } from '../../loader/backing.ts';
import { asEvidence, type Totals, totalsOf } from '../../loader/evidence.ts';
import { read } from '../../loader/image.ts';
import { load } from '../../loader/index.ts';
import { type ImageHandle, native, prebuilt, slot, slots } from '../../loader/native.ts';
import { Report } from '../../loader/report.ts';
import { requireHere } from '../../loader/root.ts';
import { parseArguments } from '../library/prototype.ts';
import { type Request, SAMPLE_MARK, type Sample } from './request.ts';

const request = JSON.parse(process.argv[2] as string) as Request;

/** Library ways. Each answers the phases in ns; what is timed is everything up to and with the first call or touch. */
interface Loading {
  open(path: string): void;
  /** Address of text, to touch its first byte. */
  textAddress(): bigint;
  address(name: string): bigint;
  report(): Pick<Sample, 'phases' | 'bytesInPlace' | 'bytesCopied'>;
  privateBytes(): number;
  bias(): bigint;
}

function insituLoading(place: 'in-place' | 'copy'): Loading {
  let handle: ImageHandle;
  const options = place === 'copy' ? ({ place } as const) : undefined;
  const report = () => new Report(request.file, place, handle);
  return {
    open: (path) => {
      handle = load(path, options);
    },
    textAddress: () => {
      native.loadRecord(handle, slots); // straight: this is timed
      return BigInt(slot(27) + request.text.vaddr);
    },
    address: (name) => native.imageSymbol(handle, name),
    report: () => {
      const { phases, bytesInPlace, bytesCopied } = report();
      return {
        phases: Object.fromEntries(phases.map(({ name, ns }) => [name, ns])),
        bytesInPlace,
        bytesCopied,
      };
    },
    privateBytes: () => anonymousBytes(report().base),
    bias: () => report().bias,
  };
}

function dlopenLoading(): Loading {
  let handle = 0n;
  return {
    open: (path) => {
      handle = native.dlopen(path);
    },
    textAddress: () => native.dlopenBase(handle) + BigInt(request.text.vaddr),
    address: (name) => native.dlsym(handle, name),
    report: () => ({ phases: {}, bytesInPlace: request.readOnlyBytes, bytesCopied: 0 }),
    privateBytes: () => anonymousBytes(native.dlopenBase(handle) + BigInt(request.lo)),
    bias: () => native.dlopenBase(handle),
  };
}

/** Of a library in this process, whoever mapped it. All of its text is touched first, or it would not be there to see. */
function evidenceAt(bias: bigint): Totals {
  native.touchPages(bias + BigInt(request.text.vaddr), request.text.length - native.pageSize + 1);
  using file = new OpenFile(request.file);
  const { handle } = read(file);
  return totalsOf(asEvidence(native.imageCensus(handle, bias), file.backing.medium));
}

function anonymousBytes(base: bigint): number {
  return native.census(base, request.span).anonymous * native.pageSize;
}

function loadingOf(way: Request['way']): Loading {
  if (way === 'dlopen') return dlopenLoading();
  return insituLoading(way === 'copy-load' ? 'copy' : 'in-place');
}

function addressOf(loading: Loading, name: string): bigint {
  const address = loading.address(name);
  if (address === 0n) throw new Error(`${request.file} exports no symbol ${name}`);
  return address;
}

type Call = (address: bigint) => unknown;

/**
 * The call as koffi makes it; its types are made ready before anything is timed, the same for every way. The simplest
 * prototype needs no koffi: then it is the load that is seen, not the making of a foreign function.
 */
function callThrough(prototype: string, args: readonly string[]): Call {
  if (/^\s*int\s+\w+\s*\(\s*void\s*\)\s*;?\s*$/.test(prototype)) return native.callInt;
  const koffi = requireHere('koffi') as typeof import('koffi').default;
  koffi.load(null);
  const type = koffi.proto(prototype);
  const values = parseArguments(prototype, args);
  return (address) => (koffi.decode(address, type) as (...values: unknown[]) => unknown)(...values);
}

function sampleLibrary(): Sample {
  const { call, file } = request;
  const name = call ? (/([A-Za-z_]\w*)\s*\(/.exec(call.prototype)?.[1] ?? '') : '';
  const invoke = call ? callThrough(call.prototype, call.args) : undefined;
  const small = prebuilt('small.so');
  if (request.warm) {
    const warming = loadingOf(request.way);
    warming.open(small);
    native.callInt(addressOf(warming, 'insitu_small'));
  }
  const loading = loadingOf(request.way);
  native.usage(slots);
  const [minor, major] = [slot(0), slot(1)];
  const begin = process.hrtime.bigint();
  loading.open(file);
  const loaded = process.hrtime.bigint();
  if (invoke) invoke(addressOf(loading, name));
  else native.touchPages(loading.textAddress(), 1);
  const end = process.hrtime.bigint();
  native.usage(slots);
  const faults = { minorFaults: slot(0) - minor, majorFaults: slot(1) - major };
  const report = loading.report();
  const whole = Number(loaded - begin);
  const phases: Record<string, number> = request.way === 'dlopen' ? { dlopen: whole } : { ...report.phases };
  phases[invoke ? 'call' : 'touch'] = Number(end - loaded);
  const privateBytes = loading.privateBytes();
  const seen = request.evidence ? { evidence: evidenceAt(loading.bias()) } : {};
  return { ...report, phases, ns: Number(end - begin), ...faults, privateBytes, ...seen };
}

/** The least: open, map text, touch its first byte. */
function sampleFloor(): Sample {
  const { offset, length } = request.text;
  if (request.warm) native.mapFloor(prebuilt('small.so'), 0, native.pageSize);
  native.usage(slots);
  const [minor, major] = [slot(0), slot(1)];
  const begin = process.hrtime.bigint();
  native.mapFloor(request.file, offset, length);
  const ns = Number(process.hrtime.bigint() - begin);
  native.usage(slots);
  const faults = { minorFaults: slot(0) - minor, majorFaults: slot(1) - major };
  return { ns, phases: { map: ns }, bytesInPlace: length, bytesCopied: 0, ...faults, privateBytes: 0 };
}

function sampleProgram(): Sample {
  const { command, argv, warmArgv, environment, bytesInPlace, bytesCopied } = request.program as NonNullable<
    Request['program']
  >;
  if (request.warm) native.timeProgram(command, warmArgv, environment);
  const outcome = native.timeProgram(command, argv, environment);
  const { elapsedNs, minorFaults, majorFaults, exitCode, signal } = outcome;
  return {
    ns: elapsedNs,
    phases: { run: elapsedNs },
    bytesInPlace,
    bytesCopied,
    minorFaults,
    majorFaults,
    privateBytes: 0,
    ending: signal === null ? `exit code ${exitCode}` : `signal ${signal}`,
  };
}

function takeSample(): Sample {
  if (request.way === 'mmap-floor') return sampleFloor();
  return request.program ? sampleProgram() : sampleLibrary();
}

try {
  process.stdout.write(`\n${SAMPLE_MARK}${JSON.stringify(takeSample())}\n`);
} catch (error) {
  process.stdout.write(`\n${SAMPLE_MARK}${JSON.stringify({ failed: (error as Error).message })}\n`);
}

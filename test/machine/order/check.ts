// The order of write-backs and fences, checked apart from the power cuts of test:dax: a processor that is emulated has no cache,
// so that there every store survives, synced or not.
//
//   recorder.ts, recorder/   a tracer in C++ that records what an unchanged program (the package's dist and addon, under
//                            node) stores to a region, writes back and fences, instruction by instruction
//   programs.ts              what is recorded: records synced to a log; entries placed in a region, replaced and removed
//   record.ts                the guest's part: records on device-dax and on a file system with DAX
//   trace.ts                 what a recording holds
//   persistency.ts           what a power cut can leave, by the persistency model of x86
//   explore.ts               every such state, as far as recovery can tell them apart
//   recoveries.ts            recovery: the log's reader; insitu's own reading of a region, with every entry's hash
//   plants.ts                missing fences, missing write-backs, wrong orders: each has to be found
//   check.ts                 the host's part; `node --import tsx check.ts DIRECTORY` for traces that are there already
//
// The order of calls: on the host buildRecorder(directory) before the guest boots, in the guest `node record.js …`, afterwards
// checkRecordings(guestRecordings, directory).

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process, { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Check, print } from '../checks.ts';
import { type CheckOptions, checkTrace, signatures, type Verdict } from './check-trace.ts';
import { commitParts, keepers, plantsOf, without } from './plants.ts';
import { guestRecordings, type Recording } from './recordings.ts';
import { type JudgedRecovery, LogRecovery, RegionRecovery } from './recoveries.ts';
import { readTrace, type Trace } from './trace.ts';

/** A trace with the recovery that it is checked with. */
interface Subject {
  recording: Recording;
  trace: Trace;
  recovery: JudgedRecovery;
}

const check = ({ trace, recovery }: Subject, events = trace.events, options: CheckOptions = {}) =>
  checkTrace(events, trace.image, recovery, options);

const large = (n: bigint) => (n < 10n ** 9n ? String(n) : `about 10^${String(n).length - 1}`);

function coverageText({ coverage }: Verdict): string {
  const { cuts, words, lines, sampled, states, sampledStates, runs } = coverage;
  const parts = [
    `${cuts} cuts`,
    `${words} exhaustive over every subset of words`,
    ...(lines > 0 ? [`${lines} exhaustive over every order of lines that Px86 allows`] : []),
    ...(sampled > 0 ? [`${sampled} sampled (${sampledStates} states)`] : []),
  ];
  return `${parts.join(', ')}: ${large(states)} states, ${runs} runs of recovery`;
}

/** The recording is of what it should be: insitu's own write-backs and fences, every step of the program, no msync. */
function recorded({ recording, trace }: Subject): Check {
  const { events } = trace;
  const count = (is: (event: (typeof events)[number]) => boolean) => events.filter(is).length;
  const stores = count(({ e }) => e === 'store');
  const writeBacks = count(({ e }) => e === 'write-back');
  const fences = count((event) => event.e === 'fence' && event.by !== 'locked');
  const system = count(({ e }) => e === 'durable');
  const patched = count(({ e }) => e === 'patched');
  const marks = count(({ e }) => e === 'mark');
  const { removed, count: wanted, name } = recording;
  const ok =
    marks === 2 * wanted &&
    system === 0 &&
    stores > 0 &&
    writeBacks > 0 === (removed !== 'clwb') &&
    fences > 0 === (removed !== 'sfence') &&
    patched > 0 === (removed !== undefined);
  const text = `${stores} stores, ${writeBacks} write-backs, ${fences} fences, ${system} msync or fsync, ${marks} of ${2 * wanted} marks, ${trace.steps} instructions stepped`;
  return { name: `${name}: recorded`, ok, detail: text };
}

function promisesKept(subject: Subject): Check {
  const verdict = check(subject);
  const { violation } = verdict;
  const text = violation ? `${violation.text}, cut before event ${violation.cut}; ` : '';
  return {
    name: `${subject.recording.name}: nothing synced is lost, nothing torn is accepted`,
    ok: violation === undefined,
    detail: `${text}${coverageText(verdict)}`,
  };
}

/** Mistakes in one commit. The third replaces an entry. */
function plantsFound(subject: Subject): Check[] {
  return plantsOf(subject.trace.events, Math.min(3, subject.recording.count)).map(
    ({ name, events, breaks }) => {
      const { violation, coverage } = check(subject, events);
      return {
        name: `${subject.recording.name}: planted: ${name}: ${breaks ? 'found' : 'no fault, and not taken for one'}`,
        ok: (violation !== undefined) === breaks,
        detail: violation?.text ?? `nothing found at ${coverage.cuts} cuts`,
      };
    },
  );
}

/**
 * Each write-back and each fence left out in turn. One that is not missed keeps nothing in order: only the fence behind the
 * data of a commit is allowed to be such a one, as the slot's own fence comes before the active word too.
 */
function droppedFound(subject: Subject): Check {
  const { trace, recording } = subject;
  const all = keepers(trace);
  const effective = all.filter((keeper) => keeper.effective);
  const known = signatures(trace.events, trace.image);
  const missed = effective.filter(
    ({ index }) =>
      check(subject, without(trace.events, index), { from: index, known, eager: true }).violation ===
      undefined,
  );
  const spare = recording.program === 'commit' ? dataFences(trace, recording.count) : [];
  const wrong = missed.filter(({ index }) => !spare.includes(index));
  const text = `${effective.length} write-backs and fences left out in turn, ${effective.length - missed.length} are missed`;
  const idle = `${all.length - effective.length} more covered no changed byte`;
  const redundant = missed.map(
    ({ index, by, at, where }) =>
      `${by}${at === undefined ? '' : ` of 0x${at.toString(16)}`} at ${where}, event ${index}${spare.includes(index) ? ' (behind the data of a commit; the fence of its slot is enough)' : ''}`,
  );
  return {
    name: `${recording.name}: every write-back and fence is needed`,
    ok: wrong.length === 0 && effective.length > 0,
    detail: [`${text}; ${idle}`, ...redundant.map((line) => `not missed: ${line}`)].join('\n'),
  };
}

/** Of every fence between the data of a commit and its slot. */
function dataFences({ events }: Trace, count: number): number[] {
  const found: number[] = [];
  for (let number = 1; number <= count; number++) {
    const parts = commitParts(events, number);
    if (parts.data === undefined) continue;
    for (let i = parts.data.first; i < parts.slot.first; i++) {
      const event = events[i];
      if (event?.e === 'fence' && event.by !== 'locked') found.push(i);
    }
  }
  return found;
}

/** The program really ran so: what is missing has to be found, end to end. */
function removedFound(subject: Subject): Check {
  const { recording } = subject;
  const { violation } = check(subject);
  return {
    name: `${recording.name}: run with ${recording.removed} made a no-op: found`,
    ok: violation !== undefined,
    detail: violation?.text ?? 'not found',
  };
}

function results(recording: Recording, directory: string, scratch: string): Check[] {
  const path = join(directory, `${recording.name}.trace`);
  if (!existsSync(path))
    return [{ name: `${recording.name}: recorded`, ok: false, detail: 'there is no trace' }];
  try {
    const trace = readTrace(path);
    using recovery =
      recording.program === 'append' ? new LogRecovery() : new RegionRecovery(join(scratch, 'state'));
    const subject = { recording, trace, recovery };
    if (recording.removed) return [recorded(subject), removedFound(subject)];
    const plants = recording.program === 'commit' ? plantsFound(subject) : [];
    return [recorded(subject), promisesKept(subject), ...plants, droppedFound(subject)];
  } catch (error) {
    return [
      { name: `${recording.name}: checked`, ok: false, detail: (error as Error).stack ?? String(error) },
    ];
  }
}

/** Checks recordings whose traces lie in `directory`. Uses a file on the RAM file system /dev/shm meanwhile. */
export function checkRecordings(recordings: readonly Recording[], directory: string): Check[] {
  const scratch = mkdtempSync('/dev/shm/insitu-order-');
  const remove = () => rmSync(scratch, { recursive: true, force: true });
  process.on('exit', remove);
  try {
    return recordings.flatMap((recording) => results(recording, directory, scratch));
  } finally {
    process.off('exit', remove);
    remove();
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const found = checkRecordings(guestRecordings, argv[2] ?? '.');
  print(found);
  const failed = found.filter(({ ok }) => !ok).length;
  console.log(`${found.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

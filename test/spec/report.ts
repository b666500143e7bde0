// What a run came to, for people and as JSON.
import type { Answer } from './child.ts';
import type { Outcome } from './execute.ts';
import type { Plan, Step } from './plan.ts';
import type { Way } from './ways.ts';

export interface FileReport {
  file: string;
  way: Way;
  /** Assertions that the way was given: those passed and those failed. */
  run: number;
  passed: number;
  failed: number;
  refused: number;
  /** Decided by a text reader, and so no one's of these. */
  text: number;
  failures: { line: number; kind: string; detail: string }[];
  /** How many for each reason. */
  refusals: Record<string, number>;
}

const isAssertion = (step: Step): boolean =>
  (step.kind === 'refused' ? step.of : step.kind).startsWith('assert_');

// The drop-in with its fallback owes what V8 gives, no more.
function asV8(outcome: Outcome, v8: Answer | undefined, index: number): Outcome {
  const reference = v8 && 'outcomes' in v8 ? v8.outcomes[index] : undefined;
  const isSame = outcome.status === 'failed' && outcome.detail === reference?.detail;
  return isSame ? { status: 'refused', detail: `V8 fails alike: ${outcome.detail}` } : outcome;
}

/** A step that asserts nothing counts only where it failed or was refused. */
export function reportFile(plan: Plan, way: Way, answer: Answer, v8?: Answer): FileReport {
  const report: FileReport = {
    file: plan.file,
    way,
    run: 0,
    passed: 0,
    failed: 0,
    refused: 0,
    text: 0,
    failures: [],
    refusals: {},
  };
  if ('failed' in answer) {
    const assertions = plan.steps.filter(isAssertion).length;
    const failures = [{ line: 0, kind: 'file', detail: answer.failed }];
    return { ...report, run: assertions, failed: Math.max(assertions, 1), failures };
  }
  plan.steps.forEach((step, index) => {
    const outcome = answer.outcomes[index] ?? { status: 'failed' };
    const { status, detail = 'no outcome' } = way === 'insitu' ? asV8(outcome, v8, index) : outcome;
    if (status === 'passed' || status === 'text') report[status]++;
    else if (status === 'failed') {
      report.failed++;
      report.failures.push({ line: step.line, kind: step.kind, detail });
    } else if (status === 'refused') {
      report.refused++;
      report.refusals[detail] = (report.refusals[detail] ?? 0) + 1;
    }
  });
  report.run = report.passed + report.failed;
  return report;
}

const failuresShown = 5;

/** One line, and one for each of the first failures and for each reason of a refusal. */
export function formatFile({ file, way, run, passed, failed, refused, text, ...more }: FileReport): string {
  const counts = `${run} run, ${passed} passed, ${failed} failed, ${refused} refused`;
  const lines = [
    `${failed ? 'FAIL' : ' ok '} ${way} ${file}: ${counts}${text ? `, ${text} by the text reader` : ''}`,
    ...more.failures
      .slice(0, failuresShown)
      .map(({ line, kind, detail }) => `       line ${line}, ${kind}: ${detail}`),
  ];
  if (more.failures.length > failuresShown) {
    lines.push(`       … and ${more.failures.length - failuresShown} more`);
  }
  for (const [reason, count] of Object.entries(more.refusals))
    lines.push(`       refused ${count}: ${reason}`);
  return lines.join('\n');
}

export interface WaySummary {
  way: Way;
  files: number;
  passed: number;
  failed: number;
  refused: number;
  text: number;
  refusals: Record<string, number>;
}

export function summarize(way: Way, reports: FileReport[]): WaySummary {
  const own = reports.filter((report) => report.way === way);
  const sum = (key: 'passed' | 'failed' | 'refused' | 'text') =>
    own.reduce((n, report) => n + report[key], 0);
  const refusals: Record<string, number> = {};
  for (const report of own) {
    for (const [reason, count] of Object.entries(report.refusals)) {
      refusals[reason] = (refusals[reason] ?? 0) + count;
    }
  }
  return {
    way,
    files: own.length,
    passed: sum('passed'),
    failed: sum('failed'),
    refused: sum('refused'),
    text: sum('text'),
    refusals,
  };
}

/** Where a way does not do what V8 does: an assertion that only V8 passes, another text of an error. */
export interface Difference {
  file: string;
  way: Way;
  line: number;
  kind: string;
  v8: string;
  found: string;
}

export function differences(plan: Plan, way: Way, v8: Answer, answer: Answer): Difference[] {
  if ('failed' in v8 || 'failed' in answer) return [];
  return plan.steps.flatMap((step, index) => {
    const [reference, found] = [v8.outcomes[index], answer.outcomes[index]];
    if (reference?.status !== 'passed' || !found || found.status === 'refused') return [];
    const place = { file: plan.file, way, line: step.line, kind: step.kind };
    if (found.status !== 'passed') return [{ ...place, v8: 'passed', found: found.detail ?? found.status }];
    // Of a module that is rejected, the place and the words are a validator's own.
    if (step.kind === 'assert_invalid' || step.kind === 'assert_malformed') return [];
    const [wanted = '', text = ''] = [reference.message, found.message];
    return wanted === text ? [] : [{ ...place, v8: wanted, found: text }];
  });
}

/** Differences that are the same but for names and numbers, the most frequent first. */
export function groupAlike(found: Difference[]): { count: number; first: Difference }[] {
  const groups = new Map<string, { count: number; first: Difference }>();
  const pattern = (text: string) => text.replace(/"[^"]*"/g, '""').replace(/\d+/g, '0');
  for (const difference of found) {
    const key = `${difference.kind} ${pattern(difference.found)} ${pattern(difference.v8)}`;
    const group = groups.get(key) ?? { count: 0, first: difference };
    group.count++;
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

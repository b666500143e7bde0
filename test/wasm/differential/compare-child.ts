// Runs modules on V8 and in place, one after another, and answers where they differ. Whatever crashes takes this process
// with it: the parent knows the module by what was not answered.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import * as insitu from '../../../runtime/wasm/index.ts';
import { V8 } from '../../../runtime/wasm/v8.ts';
import type { Namespace } from './host.ts';
import { run, type Sight } from './run.ts';

export interface Case {
  seed: string;
  source: string;
  image: string;
}
export type Verdict = { same: true; calls: number } | { exhausted: true } | { different: string };

const LINES_BEFORE = 6;

function compare({ seed, source, image }: Case): Verdict {
  const bytes = readFileSync(source);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  insitu.setPolicy({
    fallback: false,
    find: (wanted) =>
      Buffer.compare(wanted, bytes) === 0
        ? { root: dirname(image), sha256, image, baseline: image, source }
        : undefined,
  });
  const v8 = run(V8 as unknown as Namespace, bytes, seed);
  const here = run(insitu as unknown as Namespace, bytes, seed);
  // How deep the stack is when it ends is not the same: only that it ends is.
  if (v8.exhausted && here.exhausted) return { exhausted: true };
  return difference(v8, here);
}

function difference(v8: Sight, here: Sight): Verdict {
  const at = v8.lines.findIndex((line, index) => line !== here.lines[index]);
  if (at < 0 && v8.lines.length === here.lines.length) return { same: true, calls: v8.lines.length };
  const place = at < 0 ? v8.lines.length : at;
  const before = v8.lines.slice(Math.max(0, place - LINES_BEFORE), place);
  const text = [...before, `V8:   ${v8.lines[place] ?? 'ends'}`, `here: ${here.lines[place] ?? 'ends'}`];
  return { different: text.map((line) => line.slice(0, 400)).join('\n') };
}

process.on('message', (cases: Case[]) => {
  for (const item of cases) process.send?.(compare(item));
});

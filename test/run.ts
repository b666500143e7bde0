// Runs every *.test.ts, each in a process of its own: one that crashes, hangs or runs no test is a failure and takes
// nothing else with it. Arguments select files by substring. Ends with 'N passed, N failed, N skipped'.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const TIMEOUT_MS = 300_000;
const CONCURRENT = 2;

interface Outcome {
  file: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  output: string;
}

function testFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? testFiles(path) : entry.name.endsWith('.test.ts') ? [path] : [];
    })
    .sort();
}

function runFile(file: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn(process.execPath, [...process.execArgv, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (code, signal) => {
      const count = (name: string) =>
        Number(new RegExp(`${name}:\\s+(\\d+)`).exec(output)?.[1] ?? Number.NaN);
      const total = count('Total');
      const passed = count('Passed') || 0;
      const skipped = count('Skipped') || 0;
      let failed = (total || 0) - passed;
      const ended = signal ? `killed by ${signal}` : `exit code ${code}`;
      if (!(total > 0)) {
        failed = 1;
        output += `\n  no test was run (${ended})\n`;
      } else if (failed === 0 && (code !== 0 || signal)) {
        failed = 1;
        output += `\n  all tests passed, and yet: ${ended}\n`;
      }
      resolve({ file, passed, failed, skipped, seconds: (Date.now() - began) / 1000, output });
    });
  });
}

const wanted = process.argv.slice(2);
const files = testFiles(root).filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
const outcomes: Outcome[] = [];
const queue = [...files];

async function work(): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const outcome = await runFile(file);
    outcomes.push(outcome);
    const { passed, failed, skipped, seconds, output } = outcome;
    const counts = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`;
    console.log(
      `${failed ? 'FAIL' : ' ok '} ${relative(root, outcome.file)}: ${counts} (${seconds.toFixed(1)} s)`,
    );
    if (failed || skipped) console.log(output.replace(/^/gm, '     '));
  }
}

await Promise.all(Array.from({ length: CONCURRENT }, work));
const sum = (key: 'passed' | 'failed' | 'skipped') => outcomes.reduce((n, outcome) => n + outcome[key], 0);
const failed = sum('failed') + (files.length === 0 ? 1 : 0);
console.log(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`);
process.exitCode = failed ? 1 : 0;

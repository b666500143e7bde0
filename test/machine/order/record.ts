// The guest's part: `node record.js RECORDER DEVDAX FSDAX OUTPUT` records on real DAX what check.ts checks.
//   RECORDER  the binary (recorder.ts builds it on the host)
//   DEVDAX    a device-dax node of 4 KiB units, overwritten       FSDAX   a directory of a file system with DAX
//   OUTPUT    a directory for the traces, which the host gets to see
// Prints a line for each recording; the exit status is the number of those that failed.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { guestRecordings, record } from './recordings.ts';

const [, , recorder = '', devdax = '', fsdax = '', output = ''] = process.argv;
if (output === '') throw new Error('want RECORDER DEVDAX FSDAX OUTPUT');
const program = [process.execPath, join(fileURLToPath(import.meta.url), '../programs.js')];
mkdirSync(output, { recursive: true });
let failures = 0;
for (const recording of guestRecordings) {
  const began = Date.now();
  const region = recording.medium === 'devdax' ? devdax : fsdax;
  try {
    record(recording, { recorder, program, region, output });
    console.log(`recorded ${recording.name} (${((Date.now() - began) / 1000).toFixed(0)} s)`);
  } catch (error) {
    failures++;
    console.log((error as Error).message);
  }
}
process.exitCode = failures;

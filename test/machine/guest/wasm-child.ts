// node wasm-child.js FILE in-place|copy ADDRESS…: loads a module that is installed, reads a byte of each page of its data,
// writes one at each ADDRESS of its memory, and waits with it mapped.
import process from 'node:process';
import { native } from '../../../loader/native.ts';
import { load } from '../../../runtime/library/index.ts';
import type { LoadedModule } from '../../../runtime/library/module.ts';
import { DATA } from '../module.ts';

const [file = '', place, ...addresses] = process.argv.slice(2);

const module = await load<LoadedModule>(file, { place: place === 'copy' ? 'copy' : 'in-place' });
const { read, write } = module.instantiate() as {
  read: (address: number) => number;
  write: (address: number, value: number) => void;
};
let wrong = 0;
for (let i = 0; i < DATA.pages; i++) if (read(DATA.at + i * 4096) !== ((i * 4096) % 251) + 1) wrong++;
for (const address of addresses) write(Number(address), 255);
for (const address of addresses) if (read(Number(address)) !== 255) wrong++;
const { report } = module;
for (const { name, address, bytes } of report.evidence.ranges)
  if (name === 'text') native.touchPages(address, bytes);
const { evidence, bytesCopied } = report;
const told = JSON.stringify({ image: module.image, wrong, evidence, bytesCopied }, (_, value) =>
  typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
);
process.stdout.write(`ready ${process.pid} ${told}\n`);
process.stdin.resume();

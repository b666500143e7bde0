// Runs in the guest: has the kernel recover each image of a file system that the host has put on the bench, and tells what
// is on it. usage: recover.js DEVICE: of the bench, whose partitions are the images, slot by slot.
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { benchMedia, partitionOf } from '../layout.ts';
import { directoryOf, placings } from '../placed.ts';
import { format, type Read, scan } from '../scan.ts';
import { fileOf, type Stream, streams } from '../streams.ts';
import { heldIn } from './held.ts';
import { Shell } from './shell.ts';

const share = '/mnt/share';
const root = '/mnt/recovered';
const shell = new Shell();

/** What this stream has left on the image. */
function* partsOf(stream: Stream): Iterable<[number, Read]> {
  const directory = join(root, stream.medium);
  const prefix = fileOf(stream, 0).slice(0, -1);
  const buffer = Buffer.alloc(1 << 16);
  for (const name of readdirSync(directory).filter((name) => name.startsWith(prefix))) {
    const fd = openSync(join(directory, name), 'r');
    const pass = stream.kind === 'ring' ? -1 : Number(name.slice(prefix.length));
    yield [pass, (offset, length) => buffer.subarray(0, readSync(fd, buffer, 0, length, offset))];
    closeSync(fd);
  }
}

async function recover(device: string, cut: number, slot: number): Promise<void> {
  await shell.run(
    benchMedia.map(({ fileSystem, options, name }, i) => {
      const mount = `mount -t ${fileSystem} -o ${options} ${device}p${partitionOf(slot, i)} ${root}/${name}`;
      return `${mount} || echo "unmountable: ${name}" >&2`;
    }),
  );
  for (const stream of streams.filter(({ medium }) => benchMedia.some(({ name }) => name === medium)))
    console.log(`found ${cut} ${stream.name} ${format(scan(stream, partsOf(stream)))}`);
  for (const name of placings) console.log(`held ${cut} ${name} ${heldIn(directoryOf(name, root))}`);
  await shell.run(benchMedia.map(({ name }) => `umount ${root}/${name}`));
  console.log(`recovered ${cut}`);
}

const [device = ''] = process.argv.slice(2);
for (const { name } of benchMedia) mkdirSync(join(root, name), { recursive: true });
console.log('ready bench');
for (let cut = 0; ; cut++) {
  const ready = join(share, `cut-${cut}`);
  while (!existsSync(ready)) await setTimeout(20);
  await recover(device, cut, Number(readFileSync(ready, 'utf8')));
}

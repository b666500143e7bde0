// A read-only file system image whose large files huge pages can map: the data of each begins at a 2 MiB boundary of the
// image, which is one of the medium where the image is written to the beginning of an NVDIMM's namespace.
//
// The recipe: `mkfs.erofs -Enoinline_data`, so that no file's tail moves in with its metadata and every file is one run
// of whole blocks. mkfs.erofs (1.5) lays files out in the order of their names and has no option to align them; a file of
// zeros that sorts just before a large one moves that up. Two builds: one with empty padding, to see where files come to
// lie (dump.erofs), and one with padding of the sizes that follow from it.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';

const HUGE = 2 << 20;
const PADDING = '~padding';

/**
 * Makes `image` of a directory, with every file of 2 MiB or more at a 2 MiB boundary. Padding files appear in the
 * directory meanwhile, and stay in the image under names that end with '~padding'.
 * @throws Error when mkfs.erofs or dump.erofs fails (erofs-utils), or a file came to lie elsewhere than they said
 */
export function makeErofs(directory: string, image: string): void {
  const large = largeFiles(directory);
  const paddings = new Map(large.map((file) => [file, paddingFor(join(directory, file))]));
  try {
    for (const padding of paddings.values()) writeFileSync(padding, '', { flag: 'wx', mode: 0o400 });
    build(directory, image);
    let moved = 0;
    const inOrder = large
      .map((file) => ({ file, start: startOf(image, file) }))
      .sort((a, b) => a.start - b.start);
    for (const { file, start } of inOrder) {
      const gap = (HUGE - ((start + moved) % HUGE)) % HUGE;
      truncateSync(paddings.get(file) as string, gap);
      moved += gap;
    }
    build(directory, image);
  } finally {
    for (const padding of paddings.values()) rmSync(padding, { force: true });
  }
  for (const file of large) {
    const start = startOf(image, file);
    if (start % HUGE !== 0)
      throw new Error(`${image}: ${file} lies at 0x${start.toString(16)}; want a multiple of 2 MiB`);
  }
}

function largeFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => {
    const { size } = statSync(join(directory, file));
    return size >= HUGE && statSync(join(directory, file)).isFile();
  });
}

/** A name that sorts before the file's and behind those of all others that do. */
function paddingFor(path: string): string {
  const name = basename(path);
  const last = name.charCodeAt(name.length - 1);
  const before = String.fromCharCode(last - 1 === 0x2f ? 0x2e : last - 1); // no '/' in a name
  const padding = `${name.slice(0, -1)}${before}${PADDING}`;
  const between = readdirSync(dirname(path)).find((other) => other > padding && other < name);
  if (between !== undefined || padding >= name)
    throw new Error(
      `${path}: no name for its padding sorts before it and behind ${between}; want another name`,
    );
  return join(dirname(path), padding);
}

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

function build(directory: string, image: string): void {
  rmSync(image, { force: true });
  execFileSync('mkfs.erofs', ['--quiet', '-Enoinline_data', image, directory], {
    env: { ...process.env, PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Where the first byte of a file lies in the image. */
function startOf(image: string, file: string): number {
  const told = execFileSync('dump.erofs', ['-e', `--path=/${file}`, image], {
    env: { ...process.env, PATH },
    encoding: 'utf8',
  });
  const match = /^\s*0:\s*0\.\.\s*\d+\s*\|\s*\d+\s*:\s*(\d+)\.\./m.exec(told);
  if (!match) throw new Error(`dump.erofs does not tell where ${file} lies in ${image}:\n${told}`);
  return Number(match[1]);
}

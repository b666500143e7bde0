// The guest's kernel and first file system, unpacked from Debian's package without installing it; kept by version.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArchiveFile, archive } from './cpio.ts';
import { apt } from './packages.ts';

export interface Kernel {
  version: string;
  /** Its file. */
  vmlinux: string;
  /** With init and the modules; archives may follow. */
  initramfs: Buffer;
}

/** In what they need each other; each brings its own dependencies. */
const modules = [
  ...['virtio_pci', 'virtio_console', 'virtio_blk', 'nfit', 'nd_pmem', 'crc32c_generic', 'ext4'],
  ...['9pnet_virtio', '9p', 'overlay', 'device_dax', 'dax_pmem', 'xfs', 'erofs', 'loop'],
];

/** What was kept for another choice of modules is of no use. */
const selection = createHash('sha256').update(modules.join()).digest('hex').slice(0, 8);

const cacheDirectory = () =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'insitu', 'machine');

/** @throws Error where the package can't be had or is not what it was */
export function prepareKernel(): Kernel {
  const name = packageName();
  const directory = join(cacheDirectory(), `${name}-${selection}`);
  const vmlinux = join(directory, 'vmlinux');
  if (!existsSync(vmlinux)) unpack(name, directory);
  // What init does belongs to this source tree, not to the kernel: its archive is made anew each time.
  return { version: name.replace('linux-image-', ''), vmlinux, initramfs: initialArchive(directory) };
}

/** The generic kernel (the cloud one has no 9p); a kept one where the package lists are not there to ask. */
function packageName(): string {
  const ask = () => {
    const { stdout } = spawnSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' });
    return /Depends: (linux-image-[0-9]\S+)/.exec(stdout ?? '')?.[1];
  };
  const entries = existsSync(cacheDirectory()) ? readdirSync(cacheDirectory()) : [];
  const kept = entries.find(
    (entry) => /^linux-image-.*-[0-9a-f]{8}$/.test(entry) && entry.endsWith(selection),
  );
  const known = ask() ?? kept?.slice(0, -selection.length - 1);
  if (known !== undefined) return known;
  apt(['update', '-qq']);
  const found = ask();
  if (found === undefined)
    throw new Error('apt-cache knows no linux-image-amd64; want Debian with its package lists');
  return found;
}

/** Makes the whole directory beside its place first: one that is there is complete. */
function unpack(name: string, directory: string): void {
  console.log(`unpacking ${name}`);
  mkdirSync(cacheDirectory(), { recursive: true });
  const work = mkdtempSync(join(cacheDirectory(), '.unpack-'));
  try {
    apt(['download', '-qq', name], work);
    const deb = readdirSync(work).find((file) => file.endsWith('.deb'));
    if (deb === undefined) throw new Error(`apt-get download ${name} brought no package`);
    run('dpkg', ['-x', join(work, deb), join(work, 'root')]);
    const version = name.replace('linux-image-', '');
    const made = join(work, 'made');
    mkdirSync(join(made, 'modules'), { recursive: true });
    writeFileSync(
      join(made, 'vmlinux'),
      vmlinuxOf(readFileSync(join(work, 'root/boot', `vmlinuz-${version}`))),
    );
    keepModules(join(work, 'root/lib/modules', version), join(made, 'modules'));
    try {
      renameSync(made, directory);
    } catch (error) {
      if (!existsSync(join(directory, 'vmlinux'))) throw error; // else somebody else was first
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], input?: Buffer): Buffer {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...(input === undefined ? {} : { input }),
    maxBuffer: 256 << 20,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stderr}`);
  return stdout;
}

/**
 * The ELF kernel inside a bzImage, which starts through PVH entry and so spares the guest its own decompression (10 s
 * under emulation). Debian packs it with xz.
 */
function vmlinuxOf(bzImage: Buffer): Buffer {
  const magic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
  for (let at = bzImage.indexOf(magic); at >= 0; at = bzImage.indexOf(magic, at + 1)) {
    const { stdout } = spawnSync('xz', ['-dc', '--single-stream'], {
      input: bzImage.subarray(at),
      maxBuffer: 256 << 20,
    });
    if (stdout?.subarray(0, 4).toString('latin1') === '\x7fELF') return stdout;
  }
  throw new Error('the kernel image holds no vmlinux packed by xz');
}

/** Copies the modules wanted, with what they depend on, numbered in the order of loading. */
function keepModules(from: string, to: string): void {
  const files = new Map<string, string>();
  for (const path of readdirSync(from, { recursive: true }) as string[])
    if (path.endsWith('.ko')) files.set(basename(path, '.ko').replaceAll('-', '_'), join(from, path));
  const order: string[] = [];
  const add = (name: string) => {
    if (order.includes(name)) return;
    const file = files.get(name);
    if (file === undefined) return; // built in
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(file, 'latin1'))?.[1] ?? '';
    for (const other of depends.split(',').filter(Boolean)) add(other.replaceAll('-', '_'));
    order.push(name);
  };
  modules.forEach(add);
  for (const [i, name] of order.entries())
    run('strip', [
      '--strip-debug',
      '-o',
      join(to, `${String(i).padStart(2, '0')}-${name}.ko`),
      files.get(name) as string,
    ]);
}

function initialArchive(directory: string): Buffer {
  const init = fileURLToPath(new URL('./init.sh', import.meta.url));
  const busybox = run('sh', ['-c', 'command -v busybox']).toString().trim();
  const directories = ['bin', 'dev', 'proc', 'sys', 'modules', 'host', 'over', 'root'];
  const files: ArchiveFile[] = [
    ...directories.map((name) => ({ name })),
    { name: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    { name: 'init', content: readFileSync(init), mode: 0o755 },
    ...readdirSync(join(directory, 'modules')).map((name) => ({
      name: `modules/${name}`,
      content: readFileSync(join(directory, 'modules', name)),
    })),
  ];
  return archive(files);
}

// What the machine is made of, from Debian's packages. Installed as root; anybody else is told the one command.
import { spawnSync } from 'node:child_process';
import { getuid } from 'node:process';

/** Each program with the package that brings it. */
const wanted: readonly [program: string, name: string][] = [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['busybox', 'busybox-static'],
  ['mkfs.ext4', 'e2fsprogs'],
  ['mkfs.xfs', 'xfsprogs'],
  ['mkfs.erofs', 'erofs-utils'],
  ['ndctl', 'ndctl'],
  ['daxctl', 'daxctl'],
  ['xz', 'xz-utils'],
];

const searched = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

const isThere = (program: string) =>
  spawnSync('sh', ['-c', `command -v ${program}`], { env: { PATH: searched }, stdio: 'ignore' }).status === 0;

/** @throws Error saying what to run, where it could not be installed from here */
export function installPackages(): void {
  const missing = wanted.filter(([program]) => !isThere(program)).map(([, name]) => name);
  if (missing.length === 0) return;
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  if (getuid?.() !== 0)
    throw new Error(
      `the machine wants packages that are not installed; run: sudo apt-get update && sudo ${install.join(' ')}`,
    );
  console.log(`installing ${missing.join(' ')}`);
  apt(['update', '-qq']);
  apt(install.slice(1));
}

/** Runs apt-get, waiting for a lock that somebody else holds. @throws Error with what it said */
export function apt(args: readonly string[], directory?: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, encoding: 'utf8' as const, ...(directory === undefined ? {} : { cwd: directory }) };
  const run = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], options);
  if (run.status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${run.stdout}${run.stderr}`);
}

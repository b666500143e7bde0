// npm run machine [-- 'command']: a shell, or one command, in a guest that has NVM, with insitu on the PATH. What is written
// there is gone when it ends, but for the directory /mnt/share, which is build/share of the project.
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { prepareKernel } from './kernel.ts';
import { type Guest, Machine } from './machine.ts';
import { installPackages } from './packages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What the guest sees at /mnt/share stays here. */
const share = join(root, 'build/share');
const MiB = 1 << 20;
const sizes = [1024, 1024, 512, 128].map((size) => size * MiB);

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function job(command: string | undefined): string {
  return `
    . ${quoted(join(root, 'test/machine/guest/media.sh'))}
    ext4_prepared 0 /mnt/ext4 && xfs_prepared 1 /mnt/xfs && DAX2M=$(devdax 2 2M) && DAX4K=$(devdax 3 4k) || exit 1
    export DAX2M DAX4K
    mkdir -p /run/bin && ln -s ${quoted(join(root, 'dist/runtime/cli/main.cjs'))} /run/bin/insitu
    ln -s ${quoted(join(root, 'prebuilds/linux-x64/insitu-exec'))} /run/bin/insitu-exec
    export PATH=/run/bin:$PATH
    cd ${quoted(root)}
    ${command ?? interactive}
  `;
}

const interactive = `
    export HOME=/root TERM=${quoted(process.env.TERM ?? 'linux')} PS1='insitu machine:\\w# '
    stty rows ${process.stdout.rows ?? 24} cols ${process.stdout.columns ?? 80}
    echo 'ext4 with DAX at /mnt/ext4, xfs with DAX at /mnt/xfs'
    echo "device-dax of 2 MiB units: $DAX2M, of 4 KiB units: $DAX4K"
    echo 'Try: insitu doctor. The host is below /, read-only; what you write is gone at exit, but for /mnt/share: build/share.'
    exec bash --norc`;

async function main(): Promise<number> {
  const command = process.argv.slice(2).join(' ') || undefined;
  installPackages();
  const kernel = prepareKernel();
  const directory = mkdtempSync(join(tmpdir(), 'insitu-nvdimms-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const nvdimms = sizes.map((size, i) => {
    const path = join(directory, `nv${i}`);
    writeFileSync(path, '');
    truncateSync(path, size);
    return { path, size };
  });
  mkdirSync(share, { recursive: true });
  const guest: Guest = { job: job(command), nvdimms, share, timeoutMs: 2 ** 31 - 1 };
  if (command === undefined) {
    if (!process.stdin.isTTY)
      throw new Error(
        "standard input is no terminal; want one, or a command: npm run machine -- 'insitu doctor'",
      );
    const { failure, console } = await new Machine(kernel, { ...guest, interactive: true }).ended;
    if (failure.startsWith('qemu ended (1)')) return 0;
    process.stderr.write(console);
    return 1;
  }
  const { status, failure, console } = await new Machine(kernel, {
    ...guest,
    onLine: (line) => line.startsWith('guest ended with') || process.stdout.write(`${line}\n`),
  }).ended;
  if (status === null) process.stderr.write(`${console}\nthe machine failed: ${failure}\n`);
  return status ?? 1;
}

process.exitCode = await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  return 1;
});

// A virtual machine with NVDIMMs, under QEMU's software emulation: it is the same everywhere, and /dev/kvm is not.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive } from './cpio.ts';
import type { Kernel } from './kernel.ts';

export interface Nvdimm {
  /** A file of exactly `size` bytes, which keeps what the guest writes. */
  path: string;
  size: number;
  /** The guest can't write to it, and several guests may share it. */
  readOnly?: boolean;
}

export interface Guest {
  /** A bash script that the guest runs. */
  job: string;
  nvdimms?: readonly Nvdimm[];
  /** Files behind virtio-blk, in order /dev/vda, /dev/vdb … */
  disks?: readonly string[];
  /** A directory that the guest sees writable at /mnt/share. */
  share: string;
  memoryMiB?: number;
  /** The guest's terminal is ours. */
  interactive?: boolean;
  timeoutMs?: number;
  onLine?: (line: string) => void;
}

export interface Ending {
  /** Of the job; null where it did not come to its end. */
  status: number | null;
  /** Why there is no status. */
  failure: string;
  output: string;
  console: string;
  seconds: number;
}

const running = new Set<Machine>();
let watching = false;

/** Whatever ends us ends the guests, and leaves nothing behind. */
function watch(): void {
  if (watching) return;
  watching = true;
  const endAll = () => {
    for (const machine of running) machine.cut();
    for (const machine of running) machine.tidy();
  };
  process.on('exit', endAll);
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const)
    process.on(name, () => process.exit(128 + number));
}

/** A guest that has been started. */
export class Machine {
  readonly ended: Promise<Ending>;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #directory: string;
  #output = '';
  #failure = '';
  #monitor: Monitor | undefined;

  constructor(kernel: Kernel, guest: Guest) {
    watch();
    this.#directory = mkdtempSync(join(tmpdir(), 'insitu-machine-'));
    const began = Date.now();
    writeFileSync(this.#path('initrd'), initrdOf(kernel, guest));
    // Should this process be killed, the kernel ends the guest.
    const command = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...this.#arguments(kernel, guest)];
    // A guest that is written to by nobody must not find the end of its input: an open pipe.
    this.#child = spawn('setpriv', command, {
      stdio: guest.interactive ? 'inherit' : ['pipe', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? -1;
    running.add(this);
    const limit = guest.timeoutMs ?? 600_000;
    const timer = setTimeout(() => this.cut(`took longer than ${limit / 1000} s`), limit);
    this.#listen(guest.onLine);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#failure ||= error.message;
      });
      this.#child.once('close', (code, signal) => {
        clearTimeout(timer);
        resolve(this.#ending(code, signal, (Date.now() - began) / 1000));
        this.tidy();
      });
    });
  }

  /** Everything written to the job's output so far. */
  get output(): string {
    return this.#output;
  }

  /** The power cut: the machine is gone at once, its NVDIMM files stay as they are. */
  cut(why = 'was cut'): void {
    this.#failure ||= why;
    this.#child.kill('SIGKILL');
  }

  /** Runs a command of QEMU's monitor (QMP). */
  async command(name: string): Promise<void> {
    this.#monitor ??= await Monitor.connect(this.#path('monitor'));
    await this.#monitor.run(name);
  }

  tidy(): void {
    running.delete(this);
    this.#monitor?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #listen(onLine: Guest['onLine']): void {
    let rest = '';
    const take = (chunk: Buffer) => {
      this.#output += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (onLine) for (const line of lines) onLine(line.replace(/\r$/, ''));
    };
    this.#child.stdout?.on('data', take);
    this.#child.stderr?.on('data', take);
    this.#child.stdin?.on('error', () => {});
  }

  #ending(code: number | null, signal: string | null, seconds: number): Ending {
    const console = existsSync(this.#path('console')) ? readFileSync(this.#path('console'), 'utf8') : '';
    const told = /^guest ended with status (\d+)\r?$/m.exec(this.#output)?.[1];
    const status = told === undefined || this.#failure !== '' ? null : Number(told);
    const failure =
      status === null ? this.#failure || `qemu ended (${signal ?? code}) before the job did` : '';
    return { status, failure, output: this.#output, console, seconds };
  }

  #arguments(kernel: Kernel, guest: Guest): string[] {
    const nvdimms = guest.nvdimms ?? [];
    const serial = guest.interactive ? 'virtconsole,chardev=job' : 'virtserialport,chardev=job,name=job';
    return [
      ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-machine', 'q35,nvdimm=on'],
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2'],
      ...['-m', `${guest.memoryMiB ?? 2048},slots=${Math.max(1, nvdimms.length)},maxmem=64G`],
      ...['-kernel', kernel.vmlinux, '-initrd', this.#path('initrd')],
      ...['-append', 'console=ttyS0 panic=-1 quiet', '-serial', `file:${this.#path('console')}`],
      ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
      ...['-qmp', `unix:${this.#path('monitor')},server=on,wait=off`],
      ...['-chardev', 'stdio,id=job,signal=off', '-device', 'virtio-serial-pci', '-device', serial],
      ...['-fsdev', 'local,id=root,path=/,security_model=none,multidevs=remap,readonly=on'],
      ...['-device', 'virtio-9p-pci,fsdev=root,mount_tag=root'],
      ...['-fsdev', `local,id=share,path=${guest.share},security_model=none`],
      ...['-device', 'virtio-9p-pci,fsdev=share,mount_tag=share'],
      ...nvdimms.flatMap(nvdimmArguments),
      ...(guest.disks ?? []).flatMap((path, i) => [
        ...['-drive', `file=${path},id=disk${i},if=none,format=raw,cache=unsafe`],
        ...['-device', `virtio-blk-pci,drive=disk${i}`],
      ]),
    ];
  }
}

function nvdimmArguments({ path, size, readOnly }: Nvdimm, i: number): string[] {
  const file = `memory-backend-file,id=nv${i},share=on,mem-path=${path},size=${size}`;
  return [
    ...['-object', readOnly ? `${file},readonly=on` : file],
    ...['-device', `nvdimm,id=nvdimm${i},memdev=nv${i}${readOnly ? ',unarmed=on' : ''}`],
  ];
}

/** The job travels in an archive of its own behind the initramfs. */
function initrdOf(kernel: Kernel, guest: Guest): Buffer {
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const environment = `JOB_PATH=${path}\nINTERACTIVE=${guest.interactive ? 1 : ''}\n`;
  const job = archive([
    { name: 'job' },
    { name: 'job/run', content: guest.job, mode: 0o755 },
    { name: 'job/environment', content: environment },
  ]);
  return Buffer.concat([kernel.initramfs, job]);
}

/** QEMU's machine protocol: one JSON object a line. */
class Monitor {
  readonly #socket: Socket;
  readonly #waiting: ((answer: { error?: { desc: string } }) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    let rest = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const message = JSON.parse(line);
        if ('return' in message || 'error' in message) this.#waiting.shift()?.(message);
      }
    });
  }

  static async connect(path: string): Promise<Monitor> {
    const socket = connect(path);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const monitor = new Monitor(socket);
    await monitor.run('qmp_capabilities');
    return monitor;
  }

  async run(name: string): Promise<void> {
    const answer = await new Promise<{ error?: { desc: string } }>((resolve, reject) => {
      const onClose = () => reject(new Error(`the machine ended before it answered to ${name}`));
      this.#socket.once('close', onClose);
      this.#waiting.push((message) => {
        this.#socket.off('close', onClose);
        resolve(message);
      });
      this.#socket.write(`${JSON.stringify({ execute: name })}\n`);
    });
    if (answer.error) throw new Error(`${name}: ${answer.error.desc}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

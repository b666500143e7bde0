// One machine's life: many cut points in its first boot, each an image of its NVDIMMs that is recovered and checked, then
// real power cuts, and boots on the same files.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Kernel } from '../kernel.ts';
import { type Ending, Machine } from '../machine.ts';
import { Images, makeSparse } from './images.ts';
import { firstJob, laterJob } from './jobs.ts';
import { bench, diskMedium, type Medium, MiB, nvdimmMedia, SLOTS } from './layout.ts';
import { inBuffer, scan } from './scan.ts';
import { extentOf, streams } from './streams.ts';
import { type Snapshot, Told } from './told.ts';
import { Verdicts } from './verdicts.ts';

export interface Options {
  /** Of the moments of the cuts; uniform in [0, 1). */
  random: () => number;
  /** Cut points in the first boot. */
  cuts: number;
  /** Real ones, each with a boot after it. */
  kills: number;
  /** Where everything is that is written on the host. */
  directory: string;
  /** The compiled guest code. */
  code: string;
}

/** The guest ended, and was not cut. */
class GuestFailure extends Error {
  constructor({ failure, status, output, console }: Ending) {
    const lines = output.split('\n').filter((line) => !/^(synced|stored|placed|found|held) /.test(line));
    super(`the guest ended: ${failure || `status ${status}`}\n${lines.join('\n')}\n${console}`);
  }
}

const REGION_COPY = 'region-copy';

const isDevice = (medium: string) => medium.startsWith('devdax');

export class Session {
  readonly told = new Told();
  readonly atCuts = new Verdicts('cut points', true);
  readonly atKills = new Verdicts('power cuts', false);
  readonly #kernel: Kernel;
  readonly #options: Options;
  readonly #images: Images;
  readonly #random: () => number;

  constructor(kernel: Kernel, options: Options) {
    this.#kernel = kernel;
    this.#options = options;
    this.#random = options.random;
    this.#images = new Images(options.directory);
    mkdirSync(join(options.directory, 'share'));
    for (const { name, sizeMiB } of [...nvdimmMedia, bench, diskMedium])
      makeSparse(this.#images.path(name), sizeMiB * MiB);
  }

  /** @throws Error with the console where a guest ended by itself, or could not be started */
  async run(): Promise<void> {
    const { kills, code } = this.#options;
    let machine = this.#boot(firstJob(code), [...nvdimmMedia, bench]);
    try {
      await this.#while(machine, this.#cutPoints(machine));
      for (let kill = 1; kill <= kills; kill++) {
        await this.#while(machine, this.told.more(50 + 400 * this.#random(), 1 + 20 * this.#random()));
        machine.cut();
        await machine.ended;
        const told = this.told.snapshot();
        this.#images.takeDevice('region', REGION_COPY);
        this.atKills.region(`power cut ${kill}`, this.#images.path(REGION_COPY), told);
        machine = this.#boot(laterJob(code, `boot-${kill}`, kill * 1e6, kill < kills), nvdimmMedia);
        await this.#while(machine, this.#started(`boot-${kill}`));
        this.atKills.guest(`boot-${kill}`, this.told, told);
      }
      const ending = await machine.ended;
      if (ending.status !== 0) throw new GuestFailure(ending);
    } finally {
      machine.cut();
      await machine.ended;
    }
  }

  #boot(job: string, nvdimms: readonly Medium[]): Machine {
    return new Machine(this.#kernel, {
      job,
      nvdimms: nvdimms.map(({ name, sizeMiB }) => ({
        path: this.#images.path(name),
        size: sizeMiB * MiB,
      })),
      disks: [this.#images.path(diskMedium.name)],
      share: join(this.#options.directory, 'share'),
      timeoutMs: 600_000,
      onLine: (line) => this.told.take(line),
    });
  }

  /** Work that would wait for ever for a machine that has ended. */
  async #while(machine: Machine, work: Promise<unknown>): Promise<void> {
    const ended = machine.ended.then((ending) => {
      throw new GuestFailure(ending);
    });
    try {
      await Promise.race([work, ended]);
    } catch (error) {
      if (!(error instanceof GuestFailure)) machine.cut((error as Error).message);
      throw new GuestFailure(await machine.ended);
    }
  }

  async #started(where: string): Promise<void> {
    await Promise.all([this.told.line(`writing ${where}`), this.told.line(`placing ${where}`)]);
  }

  async #cutPoints(machine: Machine): Promise<void> {
    await Promise.all([this.told.line('ready bench'), this.#started('start')]);
    const inWork: Promise<void>[] = [];
    for (let cut = 0; cut < this.#options.cuts; cut++) {
      await inWork[cut - SLOTS];
      await setTimeout(10 + 150 * this.#random());
      const recovered = this.told.line(`recovered ${cut}`);
      const told = await this.#cutPoint(machine, cut);
      inWork.push(recovered.then(() => this.atCuts.guest(`${cut}`, this.told, told)));
    }
    await Promise.all(inWork);
  }

  /** @returns what was told before it */
  async #cutPoint(machine: Machine, cut: number): Promise<Snapshot> {
    await machine.command('stop');
    this.#images.take(cut % SLOTS, 'region', REGION_COPY);
    const devices = streams
      .filter(({ medium }) => isDevice(medium))
      .map((stream) => ({ stream, bytes: this.#images.device(stream.medium, extentOf(stream)) }));
    // It stands still: what it has told by now, it has told before the cut.
    await setTimeout(1);
    const told = this.told.snapshot();
    await machine.command('cont');
    this.#publish(cut);
    this.atCuts.region(`${cut}`, this.#images.path(REGION_COPY), told);
    for (const { stream, bytes } of devices)
      this.atCuts.stream(`${cut}`, stream, scan(stream, [[-1, inBuffer(bytes)]]), told);
    return told;
  }

  /** The guest looks for this file. */
  #publish(cut: number): void {
    const path = join(this.#options.directory, 'share', `cut-${cut}`);
    writeFileSync(`${path}.part`, String(cut % SLOTS));
    renameSync(`${path}.part`, path);
  }
}

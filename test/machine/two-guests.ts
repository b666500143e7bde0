// Two guests on one read-only NVDIMM file run the same program in place: the host holds its text once.
import { readFileSync } from 'node:fs';
import type { Check } from './checks.ts';
import type { Kernel } from './kernel.ts';
import { type Ending, Machine, type Nvdimm } from './machine.ts';
import type { Payload } from './payload.ts';

/** What one guest's QEMU has resident of a file, and its share of that, in bytes (smaps of proc(5)). */
function residentOf(pid: number, file: string): { rss: number; pss: number } {
  const sizes = { rss: 0, pss: 0 };
  let inside = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) inside = line.endsWith(` ${file}`);
    const [, key, kiB] = /^(Rss|Pss):\s+(\d+) kB/.exec(line) ?? [];
    if (inside && key !== undefined) sizes[key === 'Rss' ? 'rss' : 'pss'] += Number(kiB) * 1024;
  }
  return sizes;
}

/** Mounts what an earlier guest has put onto the NVDIMM, and runs the program until the host has looked. */
const job = (payload: Payload) => `
  mkdir -p /mnt/nvdimm && mount -o ro,dax=always /dev/pmem0 /mnt/nvdimm || exit 1
  coproc '${payload.runner}' /mnt/nvdimm/static
  read -r _ pid <&"\${COPROC[0]}"
  '${payload.directory}/truth' pages "$pid" /mnt/nvdimm/
  echo "the program runs"
  while [ ! -e /mnt/share/seen ]; do sleep 0.2; done
  exec {COPROC[1]}>&-
  wait
`;

function pagesRun(output: string): { nvm: number; ram: number } {
  const [, nvm, ram] = /^r-x\S* \d+ \d+ (\d+) (\d+) .*static\r?$/m.exec(output) ?? [];
  return { nvm: Number(nvm ?? 0), ram: Number(ram ?? Number.NaN) };
}

/** `nvdimm` holds a file system with `static` on it; `look` is called once both guests run the program. */
export async function twoGuests(
  kernel: Kernel,
  payload: Payload,
  nvdimm: Nvdimm,
  share: string,
  look: () => void,
): Promise<Check[]> {
  const guests = [0, 1].map(() => {
    let running: () => void = () => {};
    const runs = new Promise<void>((resolve) => {
      running = resolve;
    });
    const machine = new Machine(kernel, {
      job: job(payload),
      nvdimms: [{ ...nvdimm, readOnly: true }],
      share,
      memoryMiB: 1024,
      timeoutMs: 120_000,
      onLine: (line) => line === 'the program runs' && running(),
    });
    return { machine, runs: Promise.race([runs, machine.ended]) };
  });
  await Promise.all(guests.map(({ runs }) => runs));
  const held = guests.map(({ machine }) => residentOf(machine.pid, nvdimm.path));
  look();
  const endings = await Promise.all(guests.map(({ machine }) => machine.ended));
  return judge(endings, held);
}

function judge(endings: readonly Ending[], held: readonly { rss: number; pss: number }[]): Check[] {
  const runs = endings.map(({ output }) => pagesRun(output));
  const failure = endings.find(({ status }) => status !== 0);
  const [first = { rss: 0, pss: 0 }] = held;
  const total = held.reduce((n, { pss }) => n + pss, 0);
  const text = (runs[0]?.nvm ?? 0) * 4096;
  const MiB = (bytes: number) => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  return [
    {
      name: 'two guests run one program from one read-only NVDIMM, each with its text in NVM',
      ok: failure === undefined && runs.every(({ nvm, ram }) => nvm > 512 && ram === 0),
      detail: `${runs.map(({ nvm, ram }) => `${nvm} pages in NVM, ${ram} in RAM`).join('; ')}${
        failure ? `\n${failure.failure}\n${failure.output}\n${failure.console}` : ''
      }`,
    },
    {
      name: 'the host holds that text once',
      ok: text > 0 && first.rss >= text && total < first.rss * 1.1,
      detail: `text ${MiB(text)}; resident of the NVDIMM's file: ${held
        .map(({ rss, pss }) => `${MiB(rss)} (its share ${MiB(pss)})`)
        .join(' and ')}; together ${MiB(total)}`,
    },
  ];
}

import { type Diagnosis, examine } from '../doctor/index.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { bold, facts } from './text.ts';

const help = `insitu doctor: which NVM this machine has, how to get some, and what is missing, each with the command.

usage: insitu doctor [--json]
`;

export function main(args: readonly string[]): number {
  const { values, positionals } = parse(args, { json: { type: 'boolean' } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length > 0) throw new UsageError('doctor wants no FILE');
  const diagnosis = examine();
  if (values.json) printJson(diagnosis);
  else process.stdout.write(describe(diagnosis));
  return 0;
}

function describe(d: Diagnosis): string {
  const list = (lines: string[]) => (lines.length ? lines.join('; ') : 'none');
  const rows: [string, string][] = [
    [
      'DAX mounts',
      list(d.daxMounts.map((m) => `${m.mountPoint} (${m.fileSystem} on ${m.source}): ${m.files}`)),
    ],
    ['device-dax', list(d.deviceDax.map((device) => `${device.path} (${device.size} bytes)`))],
    ['pmem devices', list(d.pmemDevices)],
    ['RAM file systems', list(d.ramMounts.map((m) => `${m.mountPoint}${m.noexec ? ' (noexec)' : ''}`))],
    ['default region', `${d.region.directory} (${d.region.medium})`],
    ['a sync there', `survives ${d.region.sync.survives}: ${d.region.sync.reason}`],
    ['passed over', list(d.region.passedOver.map((p) => `${p.directory}: ${p.reason}`))],
    ['evidence', d.evidence],
    ['write-back', d.writeBack],
    ['processor', d.machine],
    ['Node', d.node],
  ];
  const advice = d.advice.map(({ why, command }) => `${bold('-')} ${why}\n    ${command}`);
  return `${facts(rows)}\n${advice.length ? `\n${advice.join('\n')}\n` : ''}`;
}

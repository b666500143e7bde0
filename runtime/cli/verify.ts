import { listComponents } from '../../loader/component/list.ts';
import { describeStore } from '../../loader/images/choose.ts';
import { label } from '../../loader/images/list.ts';
import { type Verified, verifyStore } from '../../loader/images/verify.ts';
import { verifyLibraries } from '../../loader/libraries/list.ts';
import { interruptible } from './interrupt.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { printable, progress } from './text.ts';

const help = `insitu verify: whether the store holds what was installed, read to the last byte.

usage: insitu verify [--repair] [--json]

  --repair  compile again what is damaged; what can't be, as its source is damaged too, is taken out
  --json    for programs

A component that is damaged is made whole by installing it again; of an addon the original is used until then.

Status 1 when something is damaged and was not made whole.

  insitu verify --repair
`;

export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, { repair: { type: 'boolean' }, json: { type: 'boolean' } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length > 0) throw new UsageError('verify wants no FILE');
  const { root } = describeStore();
  const entries = await interruptible((signal) =>
    verifyStore(root, {
      ...{ signal, repair: Boolean(values.repair) },
      onEntry: (done, total) => progress(done < total ? `verified ${done} of ${total}` : ''),
    }),
  );
  const components = listComponents(root);
  const libraries = await interruptible((signal) =>
    verifyLibraries(root, { signal, repair: Boolean(values.repair) }),
  );
  if (values.json) printJson({ root, entries, components, libraries });
  else {
    for (const library of libraries) describe(library);
    for (const entry of entries) describe(entry);
    for (const component of components) describe({ ...component, repair: null });
  }
  const isDamaged = entries.some(({ damage, repair }) => damage.length > 0 && repair !== 'compiled again');
  return isDamaged ||
    libraries.some(({ damage }) => damage.length > 0) ||
    components.some(({ damage }) => damage.length > 0)
    ? 1
    : 0;
}

function describe(entry: Pick<Verified, 'damage' | 'repair' | 'sha256' | 'from'>): void {
  const { damage, repair, sha256 } = entry;
  const state = damage.length === 0 ? 'intact ' : 'DAMAGED';
  process.stdout.write(`${state}  ${printable(label(entry))}  ${sha256}${repair ? `  ${repair}` : ''}\n`);
  for (const { path, what } of damage)
    process.stderr.write(
      `insitu: ${what.startsWith(path) ? printable(what) : printable(`${path}: ${what}`)}\n`,
    );
}

import { statSync } from 'node:fs';
import { type Bundled, bundle } from '../../loader/bundle/write.ts';
import { openStore } from '../../loader/images/choose.ts';
import { installModules, oneOf, type Refused } from './install.ts';
import { interruptible } from './interrupt.ts';
import { collect } from './modules.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { bytes, facts } from './text.ts';

const help = `insitu bundle: a Node app in one file, from which it runs in place.

usage: insitu bundle DIR -o FILE [--entry SCRIPT] [--tier best|quick] [--no-compile] [--json]

Everything in DIR goes into a region (insitu region ls), node_modules among it: scripts and data, addons and the shared objects
that they find by $ORIGIN, each at pages of its own, and the images of its WebAssembly modules, which are compiled first where
they are not installed yet. insitu run FILE then starts it from there: no file of it is unpacked, and none is looked for
elsewhere but what it does not have. FILE may be a device-dax node.

  -o FILE         the region: a new file, put in the place of what is there when it is whole
  --entry SCRIPT  what is run; main of its package.json, else index.js, if not said
  --tier          as insitu install
  --no-compile    modules that are not installed are left to V8
  --json          for programs

Its scripts see it as a directory of this name, which can be read and not written. insitu region verify reads all of it.

  insitu bundle app/ -o /mnt/pmem/app.region && insitu run /mnt/pmem/app.region args
`;

export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    output: { type: 'string', short: 'o' },
    entry: { type: 'string' },
    tier: { type: 'string' },
    'no-compile': { type: 'boolean' },
    json: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [directory, ...more] = positionals;
  if (directory === undefined || more.length > 0) throw new UsageError('bundle wants one DIR');
  if (values.output === undefined) throw new UsageError('bundle wants -o FILE');
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`${directory} is no directory; want the one that the app is in`);
  const tier = oneOf('--tier', values.tier, ['best', 'quick'] as const);
  const store = openStore();
  const refused: Refused[] = [];
  if (!values['no-compile'])
    await interruptible((signal) =>
      installModules(collect([directory]).modules, refused, { tier, cpu: 'baseline', root: store, signal }),
    );
  const done = bundle(directory, values.output, {
    store,
    ...(values.entry === undefined ? {} : { entry: values.entry }),
  });
  if (values.json) printJson({ ...done, refused });
  else process.stdout.write(`${describe(done)}\n`);
  for (const path of done.outside)
    process.stderr.write(
      `insitu: ${path} leads out of ${directory}: what is there was taken, and nothing that it needs from beside it\n`,
    );
  for (const { path, reason } of refused) process.stderr.write(`insitu: ${path}: not compiled: ${reason}\n`);
  return 0;
}

function describe({ region, entry, files, size, libraries, images, withoutImage }: Bundled): string {
  return facts([
    ['region', `${region} (${bytes(size)})`],
    ['runs', entry],
    ['files', `${files}`],
    ['in place', [...libraries, ...images.map(({ module }) => module)].join(', ') || 'nothing'],
    ...(withoutImage.length > 0 ? [['left to V8', withoutImage.join(', ')] as [string, string]] : []),
  ]);
}

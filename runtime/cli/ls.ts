import { basename } from 'node:path';
import { listComponents, type StoredComponent } from '../../loader/component/list.ts';
import { describeStore, type StoreFacts } from '../../loader/images/choose.ts';
import { label, listStore, type StoredModule } from '../../loader/images/list.ts';
import { listLibraries, type StoredSet } from '../../loader/libraries/list.ts';
import { parse, printJson } from './options.ts';
import { UsageError } from './outcome.ts';
import { bytes, facts, table } from './text.ts';

const help = `insitu ls: the WebAssembly modules, components and Node addons that are installed, and what they are stored on.

usage: insitu ls [--json]

  --json  everything, for programs

  insitu ls
  INSITU_STORE=/mnt/pmem/insitu insitu ls
`;

const WHY: Record<StoreFacts['why'], string> = {
  INSITU_STORE: 'INSITU_STORE',
  configured: 'configured',
  dax: 'found: a DAX file system',
  cache: 'the user’s cache',
};

export function main(args: readonly string[]): number {
  const { values, positionals } = parse(args, { json: { type: 'boolean' } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length > 0) throw new UsageError('ls wants no FILE');
  const store = describeStore();
  const modules = listStore(store.root);
  const components = listComponents(store.root);
  const libraries = listLibraries(store.root);
  if (values.json) printJson({ store, modules, components, libraries });
  else {
    const tables = [
      ...(modules.length > 0 ? [tableOf(modules)] : []),
      ...(components.length > 0 ? [componentTable(components)] : []),
      ...(libraries.length > 0 ? [libraryTable(libraries)] : []),
    ];
    process.stdout.write(`${[describe(store), ...tables].join('\n\n')}\n`);
  }
  return 0;
}

function describe({ root, why, medium, fileSystem, obstacle, exists, passedOver }: StoreFacts): string {
  const on = medium === null ? 'not known' : `${fileSystem}: ${medium}`;
  return facts([
    ['store', `${root} (${WHY[why]}${exists ? '' : ', not made yet'})`],
    ['stored on', `${on}${obstacle === null ? '' : `: ${obstacle}`}`],
    ...passedOver.map(({ directory, reason }): [string, string] => [
      'passed over',
      `${directory}: ${reason}`,
    ]),
  ]);
}

function tableOf(modules: readonly StoredModule[]): string {
  const rows = modules.flatMap((module) =>
    (module.images.length > 0 ? module.images : [null]).map((image) => [
      label(module),
      module.sha256.slice(0, 12),
      module.size === null ? '–' : bytes(module.size),
      image === null ? '–' : bytes(image.size),
      image?.record?.tier ?? 'DAMAGED',
      image?.record ? `${image.record.arch} ${image.record.cpu}` : '',
      image?.record?.compiler ?? '',
      image?.written.toISOString() ?? '',
    ]),
  );
  return table([['module', 'sha256', 'source', 'image', 'tier', 'cpu', 'compiler', 'written'], ...rows]);
}

function componentTable(components: readonly StoredComponent[]): string {
  const rows = components.map((component) => [
    label(component),
    component.sha256.slice(0, 12),
    component.facts === null ? '–' : bytes(component.facts.size),
    component.facts === null ? 'DAMAGED' : `${component.facts.cores.length}`,
    component.facts?.exports.join(', ') ?? '',
  ]);
  return table([['component', 'sha256', 'source', 'core modules', 'exports'], ...rows]);
}

function libraryTable(libraries: readonly StoredSet[]): string {
  const rows = libraries.map((library) => [
    label(library),
    library.sha256.slice(0, 12),
    bytes(library.size),
    library.files.map(({ file }) => basename(file)).join(', ') || 'DAMAGED',
  ]);
  return table([['addon', 'sha256', 'size', 'files'], ...rows]);
}

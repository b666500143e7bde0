import { findComponents, onlyOne, removeComponent } from '../../loader/component/list.ts';
import { describeStore } from '../../loader/images/choose.ts';
import { label } from '../../loader/images/list.ts';
import { findModule, removeModule } from '../../loader/images/remove.ts';
import { findLibraries, removeLibrary } from '../../loader/libraries/list.ts';
import { interruptible } from './interrupt.ts';
import { parse } from './options.ts';
import { UsageError } from './outcome.ts';

const help = `insitu rm: take WebAssembly modules, components and Node addons out of the store. What runs from them goes on.

usage: insitu rm NAME|HASH|FILE…

NAME is what insitu ls calls it, HASH the first 6 or more digits of its SHA-256, FILE the module itself. All are looked up
before the first is taken out. A component's core modules go with it, unless they are there for something else too.

  insitu rm esbuild.wasm
  insitu rm better_sqlite3.node
  insitu rm 3fb2a97c
`;

export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, {});
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length === 0) throw new UsageError('rm wants NAME, HASH or FILE');
  const { root } = describeStore();
  const meant = positionals.map((wanted) => {
    const component = onlyOne(wanted, findComponents(root, wanted));
    if (component) return { entry: component, remove: removeComponent };
    const library = onlyOne(wanted, findLibraries(root, wanted));
    if (library) return { entry: library, remove: removeLibrary };
    return { entry: findModule(root, wanted), remove: removeModule };
  });
  await interruptible(async (signal) => {
    for (const { entry, remove } of meant) {
      const onWait = () =>
        process.stderr.write(`insitu: waiting for another process that installs ${label(entry)}\n`);
      await remove(root, entry.sha256, { signal, onWait });
    }
  });
  return 0;
}

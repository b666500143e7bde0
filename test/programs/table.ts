// The real programs, one row each: path, arguments (a string is split at spaces) and what else a run needs. All run in a
// fresh copy of the fixture (fixture.ts), and everything they print must be the same from run to run.
import process from 'node:process';

export interface Row {
  path: string;
  args: string[];
  /** Standard input. */
  input?: string;
  /** Files of the working directory whose bytes count too. */
  outputs?: string[];
  /** Debian package, where it may be missing. */
  package?: string;
  /** Needs /proc/self/exe, which only root may set. */
  exe?: boolean;
}

type Options = Omit<Row, 'path' | 'args'>;

function row(path: string, args: string | string[] = [], options: Options = {}): Row {
  const list = typeof args === 'string' ? args.split(' ').filter((arg) => arg !== '') : args;
  return { path: path.startsWith('/') ? path : `/usr/bin/${path}`, args: list, ...options };
}

const words = 'pear\napple\nfig\napple\n';

const coreutils = [
  row('[', '-f a.txt ]'),
  row('arch'),
  row('b2sum', 'a.txt b.txt'),
  row('base32', 'a.txt'),
  row('base64', 'a.txt'),
  row('basename', '/x/y/z.c .c'),
  row('basenc', '--base16 a.txt'),
  row('cat', '-n a.txt b.txt no-such-file'),
  row('chgrp', '-v 0 a.txt'),
  row('chmod', '-v 600 a.txt'),
  row('chown', '-v 0:0 a.txt'),
  row('cksum', 'a.txt b.txt'),
  row('comm', 'sorted1.txt sorted2.txt'),
  row('cp', '-v a.txt copy.txt', { outputs: ['copy.txt'] }),
  row('csplit', 'a.txt 3', { outputs: ['xx00', 'xx01'] }),
  row('cut', '-d: -f1,3 table.txt'),
  row('date', '-u -d @1000000000 +%FT%T'),
  row('dd', 'if=a.txt bs=7 count=3 status=none'),
  row('dir', 'sub'),
  row('dircolors', '-p'),
  row('dirname', '/a/b/c x'),
  row('du', '-b a.txt b.txt'),
  row('echo', ['-e', 'a\\tb\\n', 'c']),
  row('env', '-i A=1 B=2 /usr/bin/env'),
  row('expand', 'tabs.txt'),
  row('expr', '6 * 7'),
  row('factor', '1234567890 97 600851475143'),
  row('false'),
  row('fmt', '-w 30 a.txt'),
  row('fold', '-w 10 a.txt'),
  row('head', '-n 3 a.txt b.txt'),
  row('id', '-u'),
  row('install', '-m 640 a.txt installed', { outputs: ['installed'] }),
  row('join', 'sorted1.txt sorted2.txt'),
  row('link', 'a.txt linked', { outputs: ['linked'] }),
  row('ln', '-sv a.txt symlink'),
  row('ls', '-1 -R .'),
  row('md5sum', 'a.txt b.txt'),
  row('mkdir', '-pv one/two/three'),
  row('mkfifo', '-m 600 fifo'),
  row('mktemp', '-u --suffix=.c no-template'),
  row('mv', '-v a.txt moved.txt', { outputs: ['moved.txt'] }),
  row('nice', '-n 3 nice'),
  row('nl', '-ba a.txt'),
  row('nohup', 'echo through'),
  row('nproc'),
  row('numfmt', '--to=iec 1 2000 3000000'),
  row('od', '-A x -t x1z a.txt'),
  row('paste', '-d, a.txt b.txt'),
  row('pathchk', ['-p', 'a b']),
  row('pr', ['-t', '-2', 'a.txt']),
  row('printenv', 'TZ LC_ALL'),
  row('printf', ['%s-%05d-%x\\n', 'a', '42', '255']),
  row('ptx', 'b.txt'),
  row('pwd', '-P'),
  row('readlink', '-f sub/../a.txt'),
  row('realpath', 'sub/../b.txt no/such/file'),
  row('rm', '-v a.txt b.txt'),
  row('rmdir', '-v sub'),
  row('seq', '-w 1 3 20'),
  row('sha1sum', 'a.txt'),
  row('sha224sum', 'a.txt'),
  row('sha256sum', 'a.txt'),
  row('sha384sum', 'a.txt'),
  row('sha512sum', 'a.txt'),
  row('shred', '-n 1 -v -u a.txt'),
  row('shuf', '--random-source=random.bin a.txt'),
  row('sleep', '0.01'),
  row('sort', '-u', { input: words }),
  row('split', '-l 2 a.txt part-', { outputs: ['part-aa', 'part-ab'] }),
  row('stat', '-c %s-%a-%F a.txt sub'),
  row('stdbuf', '-oL cat a.txt'),
  row('stty', '-a'),
  row('sum', 'a.txt'),
  row('sync', 'a.txt'),
  row('tac', 'a.txt'),
  row('tail', '-n 2 a.txt b.txt'),
  row('tee', 'teed.txt', { input: words, outputs: ['teed.txt'] }),
  row('test', '3 -gt 4'),
  row('timeout', '0.05 sleep 5'),
  row('touch', '-d @0 touched', { outputs: ['touched'] }),
  row('tr', 'a-z A-Z', { input: words }),
  row('true'),
  row('truncate', '-s 5 a.txt', { outputs: ['a.txt'] }),
  row('tsort', '', { input: 'a b\nb c\na c\n' }),
  row('tty'),
  row('uname', '-srm'),
  row('unexpand', '-a a.txt'),
  row('uniq', '-c sorted1.txt'),
  row('unlink', 'a.txt'),
  row('vdir', '--version'),
  row('wc', 'a.txt b.txt random.bin'),
  row('whoami'),
  row('yes', '--help'),
];

const textTools = [
  row('awk', ['-F:', '{ s += $2; print NR, $1 } END { printf "%.3f\\n", s / 7 }', 'table.txt']),
  row('mawk', ['BEGIN { for (i = 0; i < 5; i++) print i, sqrt(i), exp(i) }']),
  row('cmp', 'a.txt b.txt'),
  row('diff', '-u --label a --label b a.txt b.txt'),
  row('diff3', 'a.txt b.txt sorted1.txt'),
  row('sdiff', '-w 60 a.txt b.txt'),
  row('grep', '-rn the .'),
  row('find', '. -name *.txt -size -100k -newermt 1970-01-02'),
  row('patch', 'a.txt change.patch', { outputs: ['a.txt'], package: 'patch' }),
  row('sed', ['-E', 's/(.)(.)/\\2\\1/g;2,3d', 'a.txt']),
  row('xargs', '-n 2 echo', { input: words }),
  row('column', '-t -s : table.txt', { package: 'bsdextrautils' }),
  row('hexdump', '-C a.txt', { package: 'bsdextrautils' }),
  row('rev', 'a.txt'),
  row('getopt', ['-o', 'ab:', '--', '-b', 'x y', '-a', 'rest']),
  row('iconv', '-f UTF-8 -t UTF-16LE a.txt'),
  row('xxd', 'a.txt', { package: 'xxd' }),
  row('file', '-b a.txt source.c', { package: 'file' }),
];

const archives = [
  row('bzip2', '-c a.txt', { package: 'bzip2' }),
  row('gzip', '-nc a.txt random.bin'),
  row('tar', '--sort=name --mtime=@0 --owner=0 --group=0 -cf - sub a.txt'),
  row('xz', '-c a.txt random.bin', { package: 'xz-utils' }),
  row('zstd', '-qc a.txt', { package: 'zstd' }),
];

const languages = [
  row('bash', ['-c', 'for i in {1..5}; do (( s += i * i )); done; echo $s "$0"; exit 3']),
  row('bash', 'script.sh one two', { input: words }),
  row('dash', ['-c', 'f() { echo "f: $*"; }; f a b | tr a-z A-Z; kill -TERM $$']),
  row('sh', ['-c', 'trap "echo bye" EXIT; cat <<E\n$(ls)\nE']),
  row('perl', [
    '-e',
    'my %h = map { $_ => length } qw(a bb ccc); print "$_ $h{$_}\\n" for sort keys %h; print "$0\\n"',
  ]),
  row('perl', ['-we', 'print "$^X\\n"; system $^X, "-e", "exit 4"; print $? >> 8, "\\n"; die "end\\n"'], {
    exe: true,
  }),
  row('python3', [
    '-c',
    'import sys, json, hashlib; print(json.dumps({"a": [1, 2.5]}), hashlib.md5(b"x").hexdigest()); sys.exit(5)',
  ]),
  row(
    'python3',
    [
      '-c',
      'import sys, subprocess; print(sys.executable); print(subprocess.run([sys.executable, "-c", "print(6)"]).returncode)',
    ],
    { exe: true },
  ),
  row('python3', [
    '-c',
    'import ctypes, threading; t = [threading.Thread(target=print, args=(i,)) for i in range(3)]; [(x.start(), x.join()) for x in t]; print(ctypes.CDLL(None).abs(-3)); raise SystemError("x")',
  ]),
  row(
    process.execPath,
    ['-e', 'console.log(process.execPath, process.argv0, process.argv.length); process.exitCode = 6'],
    { exe: true },
  ),
  row(process.execPath, ['script.js', 'a', 'b'], { exe: true }),
  row(process.execPath, [
    '-e',
    'const { Worker } = require("worker_threads"); new Worker("console.log(1 + 1)", { eval: true }).on("exit", (c) => console.log("exit", c))',
  ]),
  row(process.execPath, [
    '-e',
    'console.log(require("crypto").createHash("sha256").update("x").digest("hex")); throw new Error("thrown")',
  ]),
];

const toolchain = [
  row('gcc', '-O2 -S -o - source.c'),
  row('gcc', '-O2 -c -o object.o source.c', { outputs: ['object.o'] }),
  row('gcc', '-o program source.c', { outputs: ['program'] }),
  row('gcc', '-Wall -c broken.c'),
  row('g++', '-O1 -std=c++20 -c -o object.o source.cc', { outputs: ['object.o'] }),
  row('cpp', '-P source.c'),
  row('/usr/lib/gcc/x86_64-linux-gnu/12/cc1', '-quiet -O2 -o - source.c', { package: 'cpp-12' }),
  row('as', '-o object.o source.s', { outputs: ['object.o'] }),
  row('ld', '-r -o merged.o prebuilt.o', { outputs: ['merged.o'] }),
  row('ar', 'rcsD lib.a prebuilt.o', { outputs: ['lib.a'] }),
  row('nm', 'prebuilt.o'),
  row('objdump', '-d prebuilt.o'),
  row('readelf', '-aW prebuilt.o'),
  row('size', 'prebuilt.o'),
  row('strings', 'prebuilt.o'),
  row('strip', '-o stripped.o prebuilt.o', { outputs: ['stripped.o'] }),
  row('objcopy', '-O binary -j .text prebuilt.o text.bin', { outputs: ['text.bin'] }),
  row('addr2line', '-fe prebuilt.o 0x0'),
  row('c++filt', '_ZNSt6vectorIiSaIiEE9push_backERKi'),
  row('make', '-f Makefile all'),
  row('gcov', '--version'),
];

const git = [
  row('git', '-C repo log --format=%H-%an-%s'),
  row('git', '-C repo diff HEAD~1'),
  row('git', '-C repo status --short'),
  row('git', '-C repo ls-tree -r HEAD'),
  row('git', '-C repo cat-file -p HEAD'),
  row('git', '-C repo grep -n apple'),
  row('git', '-C repo no-such-command'),
  row('git', 'hash-object a.txt'),
];

const system = [
  row('getconf', 'PAGESIZE'),
  row('getent', 'passwd root'),
  row('locale'),
  row('zdump', '--version'),
  row('hostname', '--version'),
  row('/usr/sbin/ldconfig', '-p'),
  row('dpkg', '--compare-versions 1.2 lt 1.10'),
  row('dpkg-query', '-W bash coreutils'),
  row('dpkg-deb', '--version'),
  row('namei', '/usr/bin/env'),
  row('flock', 'a.txt echo locked'),
  row('setarch', '-R echo fixed'),
  row('setsid', '-w echo session'),
  row('taskset', '1 echo pinned'),
  row('prlimit', '--nofile=64 sh -c true'),
  row('run-parts', '--list sub'),
  row('ionice', '-c 3 echo idle'),
  row('chrt', '-m'),
  row('openssl', 'dgst -sha256 a.txt random.bin', { package: 'openssl' }),
  row('openssl', 'enc -aes-128-cbc -K 00 -iv 00 -a -in a.txt', { package: 'openssl' }),
  row('bc', '-lq', { input: 'scale=30; 4*a(1)\n2^200\n', package: 'bc' }),
  row('busybox', 'sha256sum a.txt', { package: 'busybox-static' }),
  row(
    'busybox',
    ['sh', '-c', 'for f in *.txt; do wc -l $f; done | sort | awk "{ s += \\$1 } END { print s }"'],
    { package: 'busybox-static', exe: true },
  ),
  row('busybox', ['awk', '-F:', '{ print $2 }', 'table.txt'], { package: 'busybox-static' }),
  row('busybox', 'no-such-applet', { package: 'busybox-static' }),
];

export const table: Row[] = [
  ...coreutils,
  ...textTools,
  ...archives,
  ...languages,
  ...toolchain,
  ...git,
  ...system,
];

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildSamples } from '../../samples/build.ts';
import { compileC } from '../build/compile.ts';
import { insitu } from './insitu.ts';

const call = suite('insitu call');
const { hash, counter, throws, textrel } = buildSamples();

const types = compileC(
  `#include <stdint.h>
   #include <string.h>
   int8_t byte(int8_t x) { return x; }
   int negate(int x) { return -x; }
   uint32_t word(uint32_t x) { return x; }
   int64_t wide(int64_t x) { return x; }
   uint64_t widest(uint64_t x) { return x; }
   double half(double x) { return x / 2; }
   float third(float x) { return x / 4; }
   _Bool not(_Bool x) { return !x; }
   const char *tail(const char *s, int n) { return s ? s + n : "nothing"; }
   unsigned long length(const char *s) { return strlen(s); }
   int is_null(const void *p) { return p == 0; }
   int first(const unsigned char *p) { return p[0]; }
   uint64_t address(const void *p) { return (uint64_t)p; }
   const char *none(void) { return 0; }
   int calls;
   void nothing(void) { calls++; }
   double mixed(int a, double b, int64_t c, float d) { return a + b + (double)c + d; }`,
  { name: 'libtypes.so', kind: 'shared' },
);

function gives(expected: string, prototype: string, ...args: string[]): void {
  const { status, stdout, stderr } = insitu(['call', types, prototype, ...args]);
  assert.equal(
    [status, stdout, stderr],
    [0, expected === '' ? '' : `${expected}\n`, ''],
    `${prototype} ${args}`,
  );
}

function refused(status: number, message: RegExp, ...args: string[]): void {
  const outcome = insitu(['call', ...args]);
  assert.equal([outcome.status, outcome.stdout], [status, ''], args.join(' '));
  assert.match(outcome.stderr, message);
  assert.match(outcome.stderr, /^insitu: [^\n]*\n$/, 'one line');
}

call('integers of every width, in decimal and hexadecimal, to their last bit', () => {
  gives('-128', 'int8_t byte(int8_t)', '-128');
  gives('-7', 'int negate(int)', '7');
  gives('7', 'int negate(int x)', '-7');
  gives('255', 'uint32_t word(uint32_t)', '0xff');
  gives('4294967295', 'uint32_t word(uint32_t)', '4294967295');
  gives('9007199254740993', 'int64_t wide(int64_t)', '9007199254740993');
  gives('-9223372036854775808', 'int64_t wide(int64_t)', '-9223372036854775808');
  gives('18446744073709551615', 'uint64_t widest(uint64_t)', '18446744073709551615');
  gives('18446744073709551615', 'uint64_t widest(uint64_t)', '0xffffffffffffffff');
});

call('floating point, truth, and a mixture', () => {
  gives('1.25', 'double half(double)', '2.5');
  gives('-5e-324', 'double half(double)', '-1e-323');
  gives('0.25', 'float third(float)', '1');
  gives('false', 'bool not(bool)', 'true');
  gives('true', 'bool not(bool)', '0');
  gives('15.75', 'double mixed(int, double, int64_t, float)', '1', '2.5', '4', '8.25');
});

call('strings and pointers, null among them; void prints nothing', () => {
  gives('lo', 'str tail(str, int)', 'hello', '3');
  gives('ö', 'const char *tail(const char *s, int n)', 'ö', '0');
  gives('nothing', 'str tail(str, int)', 'NULL', '0');
  gives('65', 'int first(const unsigned char *)', 'A');
  gives('-100000', 'int negate(int a1)', '100000');
  gives('-100000', 'int negate(const int charge)', '100000');
  gives('0', 'ulong length(str)', '');
  gives('1', 'int is_null(void *)', 'null');
  gives('65', 'int first(const uint8_t *)', 'A');
  gives('4096', 'uint64_t address(void *)', '0x1000');
  gives('null', 'str none()', ...[]);
  gives('', 'void nothing(void)');
});

call('the samples: a checksum, constructors and destructors, exceptions', () => {
  const crc = insitu(['call', hash, 'ulong crc32(ulong, str, uint)', '0', '123456789', '9']);
  assert.is(crc.stdout, `${0xcbf43926}\n`);
  for (const way of [[], ['--copy']]) {
    const journal = insitu(['call', ...way, counter, 'str counter_journal(void)']);
    assert.is(journal.stdout, 'first second\ncounter: second destroyed\ncounter: first destroyed\n');
    assert.is(insitu(['call', ...way, throws, 'int parse_or_negative(str)', 'x']).stdout, '-1\n');
  }
});

call('a report as JSON on stderr, of either way', () => {
  for (const way of ['in-place', 'copy']) {
    const option = way === 'copy' ? ['--copy'] : [];
    const { stdout, stderr } = insitu([
      'call',
      '--report',
      ...option,
      hash,
      'ulong crc32(ulong, str, uint)',
      '0',
      '',
      '0',
    ]);
    const report = JSON.parse(stderr);
    assert.equal([stdout, report.place, report.bytesCopied > 0], ['0\n', way, way === 'copy']);
    for (const key of ['file', 'phases', 'bytesInPlace', 'faults', 'backing', 'segments', 'evidence'])
      assert.ok(key in report, key);
  }
});

call('a prototype or arguments that can not be understood are a usage error', () => {
  const crc = 'ulong crc32(ulong, str, uint)';
  refused(2, /takes 3 arguments; found 2/, hash, crc, '0', 'hello');
  refused(2, /takes 3 arguments; found 4/, hash, crc, '0', 'hello', '5', '6');
  refused(2, /takes 0 arguments; found 1/, types, 'void nothing(void)', '1');
  refused(2, /argument 'five' is no uint; want a number/, hash, crc, '0', 'hello', 'five');
  refused(2, /argument '' is no int/, types, 'int negate(int)', '');
  refused(2, /argument '1.5' is no int/, types, 'int negate(int)', '1.5');
  refused(2, /argument 'x' is no double/, types, 'double half(double)', 'x');
  refused(
    2,
    /argument 3000000000 is no int; want -2147483648 to 2147483647/,
    types,
    'int negate(int)',
    '3000000000',
  );
  refused(2, /argument -1 is no uint32_t; want 0 to/, types, 'uint32_t word(uint32_t)', '-1');
  refused(2, /want 0 to 18446744073709551615/, types, 'uint64_t widest(uint64_t)', '18446744073709551616');
  refused(2, /argument 'maybe' is no bool; want true or false/, types, 'bool not(bool)', 'maybe');
  refused(2, /is no C prototype; want/, hash, 'crc32');
  refused(2, /is no C prototype; want/, hash, '');
  refused(2, /prototype 'wonder crc32\(int\)' was not understood/, hash, 'wonder crc32(int)', '1');
  refused(2, /prototype 'int crc32\(wonder\)' was not understood/, hash, 'int crc32(wonder)', '1');
});

call('what is no library to call: 126 with the reason, 127 if it is not there', () => {
  refused(
    126,
    /exports no symbol nowhere; insitu inspect --symbols lists them/,
    hash,
    'int nowhere(int)',
    '1',
  );
  refused(126, /is an ELF program; want a shared object/, '/bin/ls', 'int main(void)');
  refused(126, /text relocations/, textrel, 'int f(void)');
  refused(126, /want/, '/etc/passwd', 'int f(void)');
  refused(126, /want a file on a DAX file system/, '--require-in-place', hash, 'int f(void)');
  refused(127, /ENOENT/, '/nowhere/libx.so', 'int f(void)');
});

call.run();

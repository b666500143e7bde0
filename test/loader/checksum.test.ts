// CRC-32C against its definition: the reflected polynomial 0x82f63b78, a bit at a time (RFC 3720, appendix B.4).
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../loader/native.ts';

function byDefinition(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

const test = suite('CRC-32C');

test('the check value of its catalogue', () => {
  assert.is(native.crc32c(Buffer.from('123456789')), 0xe3069283);
});

// Three pieces of 1 KiB are taken at once.
for (const size of [0, 1, 7, 8, 9, 1023, 1024, 3071, 3072, 3073, 3080, 6143, 6144, 6149, 9216, 100_003])
  test(`${size} bytes`, () => {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 2654435761) >>> 13);
    assert.is(native.crc32c(bytes), byDefinition(bytes));
    if (size === 0) return;
    const sum = native.crc32c(bytes);
    const at = Math.floor(size / 2);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    assert.is.not(native.crc32c(bytes), sum);
  });

test.run();

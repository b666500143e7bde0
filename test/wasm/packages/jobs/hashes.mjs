// hash-wasm (C without libc, a module for each hash, in base64) and xxhash-wasm (written by hand).
import hashes from 'hash-wasm';
import xxhash from 'xxhash-wasm';

const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3);
const results = [];
for (const name of [
  'md5',
  'sha1',
  'sha256',
  'sha512',
  'sha3',
  'keccak',
  'blake2b',
  'blake3',
  'crc32',
  'ripemd160',
  'sm3',
  'whirlpool',
  'xxhash64',
  'xxhash3',
  'adler32',
])
  results.push([name, await hashes[name](data)]);
const password = { password: 'secret', salt: data.subarray(0, 16) };
results.push(
  await hashes.argon2id({
    ...password,
    parallelism: 1,
    iterations: 3,
    memorySize: 512,
    hashLength: 32,
    outputType: 'hex',
  }),
);
results.push(await hashes.bcrypt({ ...password, costFactor: 5, outputType: 'encoded' }));
results.push(
  await hashes.scrypt({ ...password, costFactor: 256, blockSize: 8, parallelism: 1, hashLength: 32 }),
);
const { h32, h64Raw, create64 } = await xxhash();
results.push(h32('text', 7), String(h64Raw(data)), String(create64(3n).update(data).update('x').digest()));
console.log(JSON.stringify(results));

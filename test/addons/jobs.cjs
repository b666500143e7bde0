// What the packages with addons are asked to do: node jobs.cjs NAME prints the same each time, on the main thread and in a worker.
const { createHash } = require('node:crypto');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { isMainThread, Worker } = require('node:worker_threads');

const hashed = (bytes) => createHash('sha256').update(bytes).digest('hex');

async function inDirectory(act) {
  const directory = mkdtempSync(join(tmpdir(), 'insitu-addon-'));
  try {
    return await act(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const jobs = {
  bcrypt() {
    const { compareSync, hashSync, getRounds } = require('bcrypt');
    const hash = hashSync('a word', '$2b$04$' + 'abcdefghijklmnopqrstuu');
    return [hash, compareSync('a word', hash), compareSync('another', hash), getRounds(hash)];
  },
  async sharp() {
    const sharp = require('sharp');
    const image = { width: 64, height: 48, channels: 3, background: '#a40' };
    const made = await sharp({ create: image }).resize(20).blur(1).png().toBuffer();
    const raw = await sharp(made).raw().toBuffer({ resolveWithObject: true });
    const failed = await sharp(Buffer.from('no image'))
      .png()
      .toBuffer()
      .catch((error) => error.message);
    return [hashed(raw.data), raw.info.width, raw.info.height, failed];
  },
  lmdb: () =>
    inDirectory(async (path) => {
      const { open } = require('lmdb');
      const database = open({ path });
      for (let i = 0; i < 100; i++) await database.put(`key ${i}`, { i, text: 'x'.repeat(i) });
      const range = [...database.getRange({ start: 'key 5', end: 'key 52' })].map(({ key }) => key);
      const value = database.get('key 42');
      await database.close();
      return [range.join(), value.i, value.text.length];
    }),
  'classic-level': () =>
    inDirectory(async (path) => {
      const { ClassicLevel } = require('classic-level');
      const database = new ClassicLevel(path);
      await database.batch(
        Array.from({ length: 50 }, (_, i) => ({ type: 'put', key: `${i}`, value: `${i * i}` })),
      );
      const keys = await database.keys({ gte: '4', lt: '5' }).all();
      const missing = await database.get('none');
      const found = await database.get('7');
      await database.close();
      return [keys.join(), found, missing];
    }),
  async '@node-rs/argon2'() {
    const { hash, verify } = require('@node-rs/argon2');
    const made = await hash('a word', { salt: Buffer.alloc(16, 7), timeCost: 2, memoryCost: 256 });
    return [made, await verify(made, 'a word'), await verify(made, 'another')];
  },
  'sodium-native'() {
    const sodium = require('sodium-native');
    const out = Buffer.alloc(32);
    sodium.crypto_generichash(out, Buffer.from('a word'));
    const secret = sodium.sodium_malloc(32);
    secret.fill(3);
    return [out.toString('hex'), hashed(secret)];
  },
};

(async () => {
  const name = process.argv[2];
  const result = await jobs[name]();
  await new Promise((done) => process.stdout.write(`${JSON.stringify(result)}\n`, done));
  if (!isMainThread) return;
  const worker = new Worker(__filename, { argv: [name], stdout: true });
  let text = '';
  worker.stdout.on('data', (chunk) => (text += chunk));
  const status = await new Promise((done, fail) => worker.on('error', fail).on('exit', done));
  console.log(status, text);
})();

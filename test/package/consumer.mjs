// What somebody who has installed insitu does with it, in plain JavaScript so that every Node runs it as it is.
// node consumer.mjs '{"hash":…}': one line for each thing that held; the first that does not ends it.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { LoadError, load, loadSync, nvm, sense } from 'insitu';

const files = isMainThread ? JSON.parse(process.argv[2]) : workerData;

function callAddon() {
  const addon = loadSync(files.addon).addon();
  assert.equal(addon.add(40, 2), 42);
  assert.throws(() => addon.add('x'), TypeError);
}

const jobs = {
  async 'library in place and as a copy, called through koffi'() {
    for (const place of ['in-place', 'copy']) {
      const library = await load(files.hash, { place });
      const crc32 = library.func('ulong crc32(ulong, const char *, uint)');
      assert.equal(crc32(0, '123456789', 9), 0xcbf43926);
      assert.ok(library.exports.includes('crc32'));
      assert.equal(library.report.place, place);
      assert.equal(library.report.bytesCopied > 0, place === 'copy');
      library[Symbol.dispose]();
      library.close();
      assert.throws(() => library.exports, { code: 'ERR_CLOSED' });
    }
  },
  'C++ that throws'() {
    const library = loadSync(files.throws);
    const parse = library.func('int parse_or_negative(str)');
    assert.deepEqual([parse('12'), parse('x'), parse('9999999')], [12, -1, -2]);
    assert.equal(library.func('int unwind(int)')(100), 101);
    library.close();
  },
  'addon on the main thread': callAddon,
  async 'addon in a worker'() {
    const worker = new Worker(new URL(import.meta.url), { workerData: files });
    await new Promise((resolve, reject) => {
      worker
        .once('error', reject)
        .once('exit', (code) => (code ? reject(new Error(`exit code ${code}`)) : resolve()));
    });
  },
  'nvm: map, read, protect, unmap'() {
    writeFileSync(files.region, Buffer.alloc(8192, 7));
    const region = nvm.open(files.region, { write: true });
    const address = nvm.map(region, 4096, 4096, nvm.PROT_READ | nvm.PROT_WRITE);
    nvm.store(address, Buffer.from('stored'));
    assert.equal(nvm.sync(region, address, 4096), 0);
    assert.equal(nvm.load(address, 6).toString(), 'stored');
    nvm.protect(address, 4096, nvm.PROT_READ);
    assert.throws(() => nvm.store(address, Buffer.from('x')), { code: 'EACCES' });
    nvm.unmap(address);
    assert.throws(() => nvm.unmap(address), { code: 'EINVAL' });
    region[Symbol.dispose]();
  },
  'errors have a code and a file'() {
    assert.throws(
      () => loadSync('/nowhere/libx.so'),
      (error) => error instanceof LoadError && error.code === 'ENOENT' && error.path === '/nowhere/libx.so',
    );
    assert.equal(sense(files.hash).path, files.hash);
  },
};

if (isMainThread)
  for (const [name, job] of Object.entries(jobs)) {
    await job();
    console.log(name);
  }
else callAddon();

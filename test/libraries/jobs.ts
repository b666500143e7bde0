// Real work for real libraries, each job written once: what the library answers when it is mapped in place, when it is
// copied and when dlopen loads the same file must be the same.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { brotliCompressSync } from 'node:zlib';
import { loadSync } from '../../runtime/index.ts';
import { checkClosed, places } from './loading.ts';

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;

// biome-ignore lint/suspicious/noExplicitAny: what a C function answers
type Bind = (prototype: string) => (...args: any[]) => any;
type Job = (bind: Bind) => unknown;

const text = Array.from(
  { length: 400 },
  (_, i) => `line ${i}: the quick brown fox jumps ${(i * i) % 97} times\n`,
).join('');
const data = Buffer.from(text);
const hex = (bytes: Buffer): string => bytes.toString('hex');
/** Calls back from C. */
const callback = (prototype: string, call: (...args: never[]) => unknown): bigint =>
  koffi.register(call, koffi.pointer(koffi.proto(prototype.replace('(*)', `callback_${callbacks++}`))));
let callbacks = 0;
const string = (address: unknown): string => koffi.decode(address, 'char', -1) as string;
const utf16 = (value: string): Buffer => Buffer.from(`${value}\0`, 'utf16le');

/** Compresses and expands again; answers the compressed bytes. */
function roundTrip(compressed: Buffer, expand: (to: Buffer) => void): string {
  const back = Buffer.alloc(data.length);
  expand(back);
  assert.equal(back.toString(), text, 'expanded again');
  return hex(compressed);
}

const zlib: Job = (bind) => {
  const bound = Number(bind('ulong compressBound(ulong)')(data.length));
  const out = Buffer.alloc(bound);
  const size = [bound];
  const compress = bind('int compress2(void *, _Inout_ ulong *, const void *, ulong, int)');
  const uncompress = bind('int uncompress(void *, _Inout_ ulong *, const void *, ulong)');
  assert.equal(compress(out, size, data, data.length, 9), 0);
  const compressed = out.subarray(0, size[0]);
  return [
    roundTrip(compressed, (to) =>
      assert.equal(uncompress(to, [to.length], compressed, compressed.length), 0),
    ),
    bind('ulong crc32(ulong, const void *, uint)')(0, data, data.length),
    bind('ulong adler32(ulong, const void *, uint)')(1, data, data.length),
    bind('const char *zlibVersion()')(),
  ];
};

const crypto: Job = (bind) => {
  const digest = Buffer.alloc(64);
  const size = [0];
  const sha256 = bind('void *EVP_sha256()')();
  const evpDigest = bind('int EVP_Digest(const void *, size_t, void *, _Out_ uint *, void *, void *)');
  assert.equal(evpDigest(data, data.length, digest, size, sha256, null), 1);
  const key = Buffer.alloc(48);
  const derive = bind(
    'int PKCS5_PBKDF2_HMAC(const char *, int, const void *, int, int, void *, int, void *)',
  );
  assert.equal(derive('secret', 6, Buffer.from('salt'), 4, 1000, sha256, key.length, key), 1);
  const encrypted = Buffer.alloc(data.length + 32);
  const context = bind('void *EVP_CIPHER_CTX_new()')();
  const cipher = bind('void *EVP_aes_256_gcm()')();
  const init = bind('int EVP_EncryptInit_ex(void *, void *, void *, const void *, const void *)');
  const update = bind('int EVP_EncryptUpdate(void *, void *, _Out_ int *, const void *, int)');
  assert.equal(init(context, cipher, null, key.subarray(0, 32), key.subarray(32)), 1);
  assert.equal(update(context, encrypted, size, data, data.length), 1);
  bind('void EVP_CIPHER_CTX_free(void *)')(context);
  return [
    hex(digest.subarray(0, 32)),
    hex(key),
    size[0],
    hex(encrypted),
    bind('const char *OpenSSL_version(int)')(0),
  ];
};

const ssl: Job = (bind) => {
  const context = bind('void *SSL_CTX_new(void *)')(bind('void *TLS_method()')());
  assert(context, 'SSL_CTX_new');
  assert.equal(bind('int SSL_CTX_set_cipher_list(void *, const char *)')(context, 'ECDHE+AESGCM'), 1);
  const connection = bind('void *SSL_new(void *)')(context);
  const nameOf = bind('const char *SSL_get_cipher_list(void *, int)');
  const names: string[] = [];
  for (let name = nameOf(connection, 0); name !== null; name = nameOf(connection, names.length))
    names.push(name);
  bind('void SSL_free(void *)')(connection);
  bind('void SSL_CTX_free(void *)')(context);
  return names;
};

const sqlite: Job = (bind) => {
  const out = [null];
  assert.equal(bind('int sqlite3_open(const char *, _Out_ void **)')(':memory:', out), 0);
  const db = out[0];
  const rows: unknown[] = [];
  const row = callback(
    'int (*)(void *, int, char **, char **)',
    (_: unknown, count: number, values: unknown, names: unknown) => {
      rows.push(koffi.decode(values, 'const char *', count), koffi.decode(names, 'const char *', count));
      return 0;
    },
  );
  const exec = bind('int sqlite3_exec(void *, const char *, void *, void *, void *)');
  const sql = `create table t(a integer primary key, b text, c real);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)
      insert into t select i, printf('row %05d', i * 7919 % 1000), i / 7.0 from n;
    create index by_b on t(b);
    select count(*), sum(a), round(avg(c), 6), max(b) from t;
    select a, upper(b) from t where b like 'row 00_1%' order by b desc limit 5;
    select json_extract('{"a": [1, 2, {"b": "x"}]}', '$.a[2].b'), sqlite_version();`;
  assert.equal(exec(db, sql, row, null, null), 0);
  koffi.unregister(row);
  const statement = [null];
  const prepare = bind('int sqlite3_prepare_v2(void *, const char *, int, _Out_ void **, void *)');
  assert.equal(
    prepare(db, 'select a, b, c from t where a between ? and 20 order by c', -1, statement, null),
    0,
  );
  assert.equal(bind('int sqlite3_bind_int(void *, int, int)')(statement[0], 1, 15), 0);
  const step = bind('int sqlite3_step(void *)');
  const integer = bind('int sqlite3_column_int(void *, int)');
  const textOf = bind('const char *sqlite3_column_text(void *, int)');
  const real = bind('double sqlite3_column_double(void *, int)');
  while (step(statement[0]) === 100)
    rows.push([integer(statement[0], 0), textOf(statement[0], 1), real(statement[0], 2)]);
  assert.equal(exec(db, 'syntax error', null, null, null), 1);
  rows.push(bind('const char *sqlite3_errmsg(void *)')(db));
  bind('int sqlite3_finalize(void *)')(statement[0]);
  assert.equal(bind('int sqlite3_close(void *)')(db), 0);
  return rows;
};

const expat: Job = (bind) => {
  const events: unknown[] = [];
  const parser = bind('void *XML_ParserCreate(const char *)')(null);
  const start = callback(
    'void (*)(void *, const char *, char **)',
    (_: unknown, name: string, attributes: unknown) => {
      const list: string[] = [];
      for (let i = 0; ; i++) {
        const value = koffi.decode(attributes, i * 8, 'const char *') as string | null;
        if (value === null) break;
        list.push(value);
      }
      events.push([name, ...list]);
    },
  );
  const end = callback('void (*)(void *, const char *)', (_: unknown, name: string) =>
    events.push(`/${name}`),
  );
  const characters = callback('void (*)(void *, void *, int)', (_: unknown, at: unknown, length: number) =>
    events.push(koffi.decode(at, 'char', length)),
  );
  bind('void XML_SetElementHandler(void *, void *, void *)')(parser, start, end);
  bind('void XML_SetCharacterDataHandler(void *, void *)')(parser, characters);
  const parse = bind('int XML_Parse(void *, const char *, int, int)');
  const document = '<a x="1" y="&lt;2"><b/>text &amp; more<c><![CDATA[<raw>]]></c></a>';
  events.push(parse(parser, document, document.length, 1));
  bind('void XML_ParserFree(void *)')(parser);
  const broken = bind('void *XML_ParserCreate(const char *)')(null);
  events.push(parse(broken, '<a></b>', 7, 1), bind('int XML_GetErrorCode(void *)')(broken));
  bind('void XML_ParserFree(void *)')(broken);
  for (const each of [start, end, characters]) koffi.unregister(each);
  return events;
};

const xml2: Job = (bind) => {
  const document = '<r><i n="1">one</i><i n="2">two</i><j><i n="3">three</i></j></r>';
  const read = bind('void *xmlReadMemory(const char *, int, const char *, const char *, int)');
  const doc = read(document, document.length, 'x.xml', null, 0);
  assert(doc, 'xmlReadMemory');
  const context = bind('void *xmlXPathNewContext(void *)')(doc);
  const evaluate = bind('void *xmlXPathEvalExpression(const char *, void *)');
  const textOf = bind('void *xmlXPathCastToString(void *)');
  const free = bind('void xmlXPathFreeObject(void *)');
  const answers = ['count(//i)', "string(//i[@n='3'])", 'sum(//i/@n)', 'name(/r/*[last()])'].map(
    (expression) => {
      const object = evaluate(expression, context);
      const answer = string(textOf(object));
      free(object);
      return answer;
    },
  );
  const memory = [null];
  const size = [0];
  bind('void xmlDocDumpMemory(void *, _Out_ void **, _Out_ int *)')(doc, memory, size);
  answers.push(string(memory[0]));
  bind('void xmlXPathFreeContext(void *)')(context);
  bind('void xmlFreeDoc(void *)')(doc);
  return answers;
};

const zstd: Job = (bind) => {
  const out = Buffer.alloc(Number(bind('size_t ZSTD_compressBound(size_t)')(data.length)));
  const compress = bind('size_t ZSTD_compress(void *, size_t, const void *, size_t, int)');
  const expand = bind('size_t ZSTD_decompress(void *, size_t, const void *, size_t)');
  const compressed = out.subarray(0, Number(compress(out, out.length, data, data.length, 19)));
  return roundTrip(compressed, (to) =>
    assert.equal(Number(expand(to, to.length, compressed, compressed.length)), data.length),
  );
};

const lzma: Job = (bind) => {
  const out = Buffer.alloc(data.length + 1000);
  const at = [0];
  const encode = bind(
    'int lzma_easy_buffer_encode(uint, int, void *, const void *, size_t, void *, _Inout_ size_t *, size_t)',
  );
  const decode = bind(
    'int lzma_stream_buffer_decode(_Inout_ uint64_t *, uint, void *, const void *, _Inout_ size_t *, size_t, void *, _Inout_ size_t *, size_t)',
  );
  assert.equal(encode(6, 4, null, data, data.length, out, at, out.length), 0);
  const compressed = out.subarray(0, at[0]);
  return roundTrip(compressed, (to) =>
    assert.equal(decode([1 << 30], 0, null, compressed, [0], compressed.length, to, [0], to.length), 0),
  );
};

const bz2: Job = (bind) => {
  const out = Buffer.alloc(data.length + 1000);
  const size = [out.length];
  const compress = bind(
    'int BZ2_bzBuffToBuffCompress(void *, _Inout_ uint *, const void *, uint, int, int, int)',
  );
  const expand = bind('int BZ2_bzBuffToBuffDecompress(void *, _Inout_ uint *, const void *, uint, int, int)');
  assert.equal(compress(out, size, data, data.length, 9, 0, 30), 0);
  const compressed = out.subarray(0, size[0]);
  return roundTrip(compressed, (to) =>
    assert.equal(expand(to, [to.length], compressed, compressed.length, 0, 0), 0),
  );
};

const lz4: Job = (bind) => {
  const out = Buffer.alloc(data.length + 1000);
  const compress = bind('int LZ4_compress_default(const void *, void *, int, int)');
  const expand = bind('int LZ4_decompress_safe(const void *, void *, int, int)');
  const compressed = out.subarray(0, compress(data, out, data.length, out.length));
  return roundTrip(compressed, (to) =>
    assert.equal(expand(compressed, to, compressed.length, to.length), to.length),
  );
};

const snappy: Job = (bind) => {
  const out = Buffer.alloc(data.length * 2);
  const size = [out.length];
  const compress = bind('int snappy_compress(const void *, size_t, void *, _Inout_ size_t *)');
  const expand = bind('int snappy_uncompress(const void *, size_t, void *, _Inout_ size_t *)');
  assert.equal(compress(data, data.length, out, size), 0);
  const compressed = out.subarray(0, size[0]);
  return roundTrip(compressed, (to) =>
    assert.equal(expand(compressed, compressed.length, to, [to.length]), 0),
  );
};

const brotliEncoder: Job = (bind) => {
  const out = Buffer.alloc(data.length + 1000);
  const size = [out.length];
  const compress = bind(
    'int BrotliEncoderCompress(int, int, int, size_t, const void *, _Inout_ size_t *, void *)',
  );
  assert.equal(compress(11, 22, 0, data.length, data, size, out), 1);
  return hex(out.subarray(0, size[0]));
};

const brotliDecoder: Job = (bind) => {
  const expand = bind('int BrotliDecoderDecompress(size_t, const void *, _Inout_ size_t *, void *)');
  const compressed = brotliCompressSync(data);
  const back = Buffer.alloc(data.length);
  assert.equal(expand(compressed.length, compressed, [back.length], back), 1);
  return back.toString();
};

const icuuc: Job = (bind) => {
  const status = [0];
  const upper = bind('int u_strToUpper_72(void *, int, const void *, int, const char *, _Inout_ int *)');
  const to = Buffer.alloc(200);
  const answers: unknown[] = ['straße ist größer', 'ıi iI', 'ΟΔΥΣΣΕΥΣ ﬁ'].map((word) => {
    const length = upper(to, 100, utf16(word), -1, 'tr', status);
    return to.toString('utf16le', 0, 2 * length);
  });
  const sentence = 'One can’t stop. 日本語のテキスト! Zwei…';
  const open = bind('void *ubrk_open_72(int, const char *, const void *, int, _Inout_ int *)');
  const next = bind('int ubrk_next_72(void *)');
  for (const type of [0, 1, 3]) {
    const iterator = open(type, 'ja', utf16(sentence), -1, status);
    const breaks: number[] = [];
    for (let at = next(iterator); at !== -1; at = next(iterator)) breaks.push(at);
    bind('void ubrk_close_72(void *)')(iterator);
    answers.push(breaks);
  }
  assert((status[0] as number) <= 0, `status ${status[0]}`);
  return answers;
};

const icui18n: Job = (bind) => {
  const status = [0];
  const compare = bind('int ucol_strcoll_72(void *, const void *, int, const void *, int)');
  const words = ['côte', 'cote', 'coté', 'côté', 'Zebra', 'Äpfel', 'Apfel', 'äpfel', 'zebra', 'öl'];
  const sorted = ['de', 'sv', 'fr_CA'].map((locale) => {
    const collator = bind('void *ucol_open_72(const char *, _Inout_ int *)')(locale, status);
    const list = [...words].sort((a, b) => compare(collator, utf16(a), -1, utf16(b), -1));
    bind('void ucol_close_72(void *)')(collator);
    return list;
  });
  const format = bind('void *unum_open_72(int, void *, int, const char *, void *, _Inout_ int *)')(
    1,
    null,
    0,
    'de',
    null,
    status,
  );
  const to = Buffer.alloc(200);
  const length = bind('int unum_formatDouble_72(void *, double, void *, int, void *, _Inout_ int *)')(
    format,
    1234567.891,
    to,
    100,
    null,
    status,
  );
  assert((status[0] as number) <= 0, `status ${status[0]}`);
  return [sorted, to.toString('utf16le', 0, 2 * length)];
};

const gmp: Job = (bind) => {
  const number = () => Buffer.alloc(16); // mpz_t
  const [a, b, c] = [number(), number(), number()];
  const set = bind('int __gmpz_init_set_str(void *, const char *, int)');
  const get = bind('const char *__gmpz_get_str(void *, int, void *)');
  const shown = Buffer.alloc(4000);
  const print = () => {
    get(shown, 10, c);
    return shown.toString('latin1', 0, shown.indexOf(0));
  };
  set(a, '123456789012345678901234567890', 10);
  set(b, 'fedcba9876543210fedcba98765432100123456789abcdef', 16);
  bind('void __gmpz_init(void *)')(c);
  const answers = ['mul', 'tdiv_q', 'gcd', 'xor'].map((operation) => {
    bind(`void __gmpz_${operation}(void *, void *, void *)`)(c, b, a);
    return print();
  });
  bind('void __gmpz_powm(void *, void *, void *, void *)')(c, a, a, b);
  answers.push(print());
  bind('void __gmpz_fac_ui(void *, ulong)')(c, 900);
  answers.push(print());
  answers.push(String(bind('int __gmpz_probab_prime_p(void *, int)')(c, 20)));
  for (const each of [a, b, c]) bind('void __gmpz_clear(void *)')(each);
  return answers;
};

const mpfr: Job = (bind) => {
  const x = Buffer.alloc(32); // mpfr_t
  bind('void mpfr_init2(void *, long)')(x, 2000);
  const exponent = [0];
  const digits = Buffer.alloc(1000);
  const get = bind('const char *mpfr_get_str(void *, _Out_ long *, int, size_t, void *, int)');
  const answers: unknown[] = [];
  for (const prototype of ['int mpfr_const_pi(void *, int)', 'int mpfr_const_log2(void *, int)']) {
    bind(prototype)(x, 0); // the constants are cached in thread-local variables
    get(digits, exponent, 10, 500, x, 0);
    answers.push(digits.toString('latin1', 0, digits.indexOf(0)), exponent[0]);
  }
  bind('int mpfr_exp(void *, void *, int)')(x, x, 0);
  answers.push(get(digits, exponent, 16, 100, x, 0));
  bind('void mpfr_clear(void *)')(x);
  bind('void mpfr_free_cache()')();
  return answers;
};

const png: Job = (bind) => {
  const PNG_IMAGE_SIZE = 8 + 6 * 4 + 4 + 64 + 4; // png_image
  const image = () => {
    const made = Buffer.alloc(PNG_IMAGE_SIZE);
    made.writeUInt32LE(1, 8); // PNG_IMAGE_VERSION
    return made;
  };
  const [width, height] = [61, 37];
  const pixels = Buffer.from(Array.from({ length: width * height * 4 }, (_, i) => (i * i) >> 4));
  const write = image();
  write.writeUInt32LE(width, 12);
  write.writeUInt32LE(height, 16);
  write.writeUInt32LE(3, 20); // PNG_FORMAT_RGBA
  const out = Buffer.alloc(100_000);
  const size = [out.length];
  const toMemory = bind(
    'int png_image_write_to_memory(void *, void *, _Inout_ size_t *, int, const void *, int, const void *)',
  );
  assert.equal(toMemory(write, out, size, 0, pixels, 0, null), 1, write.toString('latin1', 36));
  const stored = out.subarray(0, size[0]);
  const read = image();
  assert.equal(
    bind('int png_image_begin_read_from_memory(void *, void *, size_t)')(read, stored, stored.length),
    1,
  );
  const back = Buffer.alloc(pixels.length);
  const finish = bind('int png_image_finish_read(void *, void *, void *, int, void *)');
  assert.equal(finish(read, null, back, 0, null), 1);
  assert(back.equals(pixels), 'pixels read back');
  return [hex(stored), read.readUInt32LE(12), read.readUInt32LE(16)];
};

const pcre2: Job = (bind) => {
  const compile = bind(
    'void *pcre2_compile_8(const char *, size_t, uint, _Out_ int *, _Out_ size_t *, void *)',
  );
  const match = bind('int pcre2_match_8(void *, const char *, size_t, size_t, uint, void *, void *)');
  const [code, at] = [[0], [0]];
  const pattern = '(?<word>\\w+)\\s+(\\d{2,})(?=\\s+times)|(\\p{Greek}+)';
  const expression = compile(pattern, pattern.length, 0x00080000, code, at, null); // PCRE2_UTF
  const block = bind('void *pcre2_match_data_create_from_pattern_8(void *, void *)')(expression, null);
  const subjects = ['fox jumps 42 times', 'alpha: \u03b1\u03b2\u03b3', 'nothing'];
  const answers: unknown[] = [];
  for (const jit of [false, true]) {
    if (jit) answers.push(bind('int pcre2_jit_compile_8(void *, uint)')(expression, 1));
    for (const subject of subjects) {
      const count = match(expression, subject, Buffer.byteLength(subject), 0, 0, block, null);
      const vector = bind('void *pcre2_get_ovector_pointer_8(void *)')(block);
      answers.push(
        count,
        count > 0 ? Array.from(koffi.decode(vector, 'size_t', 2 * count) as number[], Number) : [],
      );
    }
  }
  answers.push(compile('(', 1, 0, code, at, null) === null, code[0], Number(at[0]));
  bind('void pcre2_match_data_free_8(void *)')(block);
  bind('void pcre2_code_free_8(void *)')(expression);
  return answers;
};

const uuid: Job = (bind) => {
  const [namespace, made] = [Buffer.alloc(16), Buffer.alloc(16)];
  assert.equal(
    bind('int uuid_parse(const char *, void *)')('6ba7b810-9dad-11d1-80b4-00c04fd430c8', namespace),
    0,
  );
  const shown = Buffer.alloc(37);
  const unparse = bind('void uuid_unparse_lower(const void *, void *)');
  const answers = ['sha1', 'md5'].map((kind) => {
    bind(`void uuid_generate_${kind}(void *, const void *, const char *, size_t)`)(
      made,
      namespace,
      'example.org',
      11,
    );
    unparse(made, shown);
    return shown.toString('latin1', 0, 36);
  });
  bind('void uuid_generate_random(void *)')(made);
  return [
    ...answers,
    bind('int uuid_type(const void *)')(made),
    bind('int uuid_is_null(const void *)')(made),
  ];
};

const curl: Job = (bind) => {
  const url = bind('void *curl_url()')();
  const set = bind('int curl_url_set(void *, int, const char *, uint)');
  const get = bind('int curl_url_get(void *, int, _Out_ void **, uint)');
  assert.equal(set(url, 0, 'https://user:pw@ex%41mple.org:8443/a/b/../c%20d?q=1&r=2#top', 0), 0);
  assert.equal(set(url, 0, '../x/./y?z', 0), 0); // relative to the one before
  const answers: unknown[] = [];
  for (let part = 0; part <= 10; part++) {
    const out = [null];
    const code = get(url, part, out, 0);
    answers.push(code === 0 ? string(out[0]) : code);
    if (code === 0) bind('void curl_free(void *)')(out[0]);
  }
  bind('void curl_url_cleanup(void *)')(url);
  const escaped = bind('void *curl_easy_escape(void *, const char *, int)')(null, 'a b/ü?', 0);
  answers.push(string(escaped));
  bind('void curl_free(void *)')(escaped);
  return answers;
};

const freetype: Job = (bind) => {
  const out = [null];
  assert.equal(bind('int FT_Init_FreeType(_Out_ void **)')(out), 0);
  const [major, minor, patch] = [[0], [0], [0]];
  bind('void FT_Library_Version(void *, _Out_ int *, _Out_ int *, _Out_ int *)')(out[0], major, minor, patch);
  const missing = bind('int FT_New_Memory_Face(void *, const void *, long, long, _Out_ void **)')(
    out[0],
    data,
    data.length,
    0,
    [null],
  );
  const sines = [0, 15, 30, 45].map((degrees) => Number(bind('long FT_Sin(long)')(degrees << 16)));
  const product = bind('long FT_MulDiv(long, long, long)')(123456, 654321, 777);
  assert.equal(bind('int FT_Done_FreeType(void *)')(out[0]), 0);
  return [major[0], minor[0], patch[0], missing, sines, Number(product)];
};

const gcrypt: Job = (bind) => {
  const version = bind('const char *gcry_check_version(const char *)')(null);
  const hash = bind('void gcry_md_hash_buffer(int, void *, const void *, size_t)');
  const size = bind('uint gcry_md_get_algo_dlen(int)');
  const digests = [1, 2, 8, 10, 312].map((algorithm) => {
    const digest = Buffer.alloc(size(algorithm));
    hash(algorithm, digest, data, data.length);
    return hex(digest);
  });
  return [version, digests];
};

const nettle: Job = (bind) => {
  const context = Buffer.alloc(1024);
  return ['sha256', 'sha3_256', 'sha1'].map((name) => {
    const digest = Buffer.alloc(name === 'sha1' ? 20 : 32);
    bind(`void nettle_${name}_init(void *)`)(context);
    bind(`void nettle_${name}_update(void *, size_t, const void *)`)(context, data.length, data);
    bind(`void nettle_${name}_digest(void *, size_t, void *)`)(context, digest.length, digest);
    return hex(digest);
  });
};

const gnutls: Job = (bind) => {
  assert.equal(bind('int gnutls_global_init()')(), 0);
  const digest = Buffer.alloc(48);
  const hash = bind('int gnutls_hash_fast(int, const void *, size_t, void *)');
  assert.equal(hash(7, data, data.length, digest), 0); // GNUTLS_DIG_SHA384
  const mac = Buffer.alloc(32);
  const hmac = bind('int gnutls_hmac_fast(int, const void *, size_t, const void *, size_t, void *)');
  assert.equal(hmac(6, 'key', 3, data, data.length, mac), 0);
  bind('void gnutls_global_deinit()')();
  return [hex(digest), hex(mac), bind('const char *gnutls_strerror(int)')(-15)];
};

const yaml: Job = (bind) => {
  const parser = Buffer.alloc(1024); // yaml_parser_t
  const event = Buffer.alloc(256); // yaml_event_t
  assert.equal(bind('int yaml_parser_initialize(void *)')(parser), 1);
  const input = Buffer.from('a: [1, "two", &x three]\nb: *x\nc: |\n  kept\n  lines\n');
  bind('void yaml_parser_set_input_string(void *, const void *, size_t)')(parser, input, input.length);
  const parse = bind('int yaml_parser_parse(void *, void *)');
  const events: unknown[] = [];
  for (let type = 0; type !== 2; ) {
    assert.equal(parse(parser, event), 1);
    type = event.readInt32LE(0);
    events.push(type === 6 ? string(event.readBigUInt64LE(24)) : type); // YAML_SCALAR_EVENT
    bind('void yaml_event_delete(void *)')(event);
  }
  bind('void yaml_parser_delete(void *)')(parser);
  return events;
};

const json = '{"b": [1, 2.5, true, null, "\\u00fc\\n"], "a": {"deep": {"er": []}}, "n": -1e3}';

const jansson: Job = (bind) => {
  const error = Buffer.alloc(512);
  const loads = bind('void *json_loads(const char *, size_t, void *)');
  const value = loads(json, 0, error);
  const dumped = string(bind('void *json_dumps(void *, size_t)')(value, 0x80 | 0x20)); // sorted, compact
  const broken = loads('{"a": [1, }', 0, error);
  return [dumped, broken, error.toString('latin1', 12 + 80, error.indexOf(0, 12 + 80))];
};

const jsonC: Job = (bind) => {
  const value = bind('void *json_tokener_parse(const char *)')(json);
  const shown = bind('const char *json_object_to_json_string_ext(void *, int)')(value, 2);
  bind('int json_object_put(void *)')(value);
  return [shown, bind('void *json_tokener_parse(const char *)')('{]')];
};

const glib: Job = (bind) => [
  bind('const char *g_compute_checksum_for_string(int, const char *, long)')(2, text, -1),
  bind('const char *g_base64_encode(const void *, size_t)')(data, 300),
  bind('const char *g_utf8_strup(const char *, long)')('straße ﬁ', -1),
  bind('const char *g_markup_escape_text(const char *, long)')('<a & "b">', -1),
  bind('int g_regex_match_simple(const char *, const char *, int, int)')('^li(n)e \\d+', text, 0, 0),
  bind('const char *g_uri_escape_string(const char *, const char *, int)')('a b/ü', null, 1),
  bind('const char *g_variant_print(void *, int)')(
    bind('void *g_variant_new_parsed(const char *)')("{'a': <[1, 2]>, 'b': <('x', true)>}"),
    1,
  ),
];

const idn2: Job = (bind) => {
  const toAscii = bind('int idn2_to_ascii_8z(const char *, _Out_ void **, int)');
  return ['bücher.example', '日本語.jp', 'faß.de', 'a..b', `${'x'.repeat(70)}.org`].map((name) => {
    const out = [null];
    const code = toAscii(name, out, 0);
    return code === 0 ? string(out[0]) : code;
  });
};

const unistring: Job = (bind) => {
  const size = [0];
  const upper = bind(
    'void *u8_toupper(const char *, size_t, const char *, void *, void *, _Inout_ size_t *)',
  );
  const word = 'straße ŉ ΐ ﬃ';
  const answer = upper(word, Buffer.byteLength(word), null, null, null, size);
  return koffi.decode(answer, 'char', Number(size[0]));
};

const archive: Job = (bind) => {
  const out = Buffer.alloc(65536);
  const used = Buffer.alloc(8); // written until the archive is closed
  const writer = bind('void *archive_write_new()')();
  assert.equal(bind('int archive_write_set_format_pax_restricted(void *)')(writer), 0);
  assert.equal(bind('int archive_write_add_filter_none(void *)')(writer), 0);
  assert.equal(
    bind('int archive_write_open_memory(void *, void *, size_t, void *)')(writer, out, out.length, used),
    0,
  );
  for (const [name, content] of [
    ['one.txt', text],
    ['sub/two.txt', 'second'],
  ] as const) {
    const entry = bind('void *archive_entry_new()')();
    bind('void archive_entry_set_pathname(void *, const char *)')(entry, name);
    bind('void archive_entry_set_size(void *, int64_t)')(entry, content.length);
    bind('void archive_entry_set_filetype(void *, uint)')(entry, 0o100000);
    bind('void archive_entry_set_perm(void *, uint)')(entry, 0o644);
    bind('void archive_entry_set_mtime(void *, long, long)')(entry, 1_000_000_000, 0);
    assert.equal(bind('int archive_write_header(void *, void *)')(writer, entry), 0);
    bind('long archive_write_data(void *, const void *, size_t)')(writer, content, content.length);
    bind('void archive_entry_free(void *)')(entry);
  }
  bind('int archive_write_free(void *)')(writer);
  const reader = bind('void *archive_read_new()')();
  bind('int archive_read_support_format_all(void *)')(reader);
  const stored = out.subarray(0, Number(used.readBigUInt64LE()));
  assert.equal(
    bind('int archive_read_open_memory(void *, void *, size_t)')(reader, stored, stored.length),
    0,
  );
  const names: unknown[] = [];
  const entry = [null];
  while (bind('int archive_read_next_header(void *, _Out_ void **)')(reader, entry) === 0)
    names.push(
      bind('const char *archive_entry_pathname(void *)')(entry[0]),
      Number(bind('int64_t archive_entry_size(void *)')(entry[0])),
    );
  bind('int archive_read_free(void *)')(reader);
  return [names, hex(stored)];
};

const sodium: Job = (bind) => {
  assert(bind('int sodium_init()')() >= 0);
  const [publicKey, secretKey, signature, hash] = [32, 64, 64, 32].map((size) => Buffer.alloc(size)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const seed = data.subarray(0, 32);
  bind('int crypto_sign_seed_keypair(void *, void *, const void *)')(publicKey, secretKey, seed);
  const sign = bind('int crypto_sign_detached(void *, void *, const void *, uint64_t, const void *)');
  sign(signature, null, data, data.length, secretKey);
  const verify = bind('int crypto_sign_verify_detached(const void *, const void *, uint64_t, const void *)');
  bind('int crypto_generichash(void *, size_t, const void *, uint64_t, const void *, size_t)')(
    hash,
    32,
    data,
    data.length,
    seed,
    32,
  );
  const forged = Buffer.from(signature);
  forged[3] = (forged[3] as number) ^ 1;
  return [
    hex(publicKey),
    hex(signature),
    verify(signature, data, data.length, publicKey),
    verify(forged, data, data.length, publicKey),
    hex(hash),
  ];
};

const re2: Job = (bind) => {
  // RE2's own C++ interface: constructor, const members, destructor
  const object = Buffer.alloc(512);
  return ['(a+)(b|c)*x{3,5}', '(?i)[[:alpha:]]+', '('].map((pattern) => {
    bind('void _ZN3re23RE2C1EPKc(void *, const char *)')(object, pattern);
    const answer = bind('int _ZNK3re23RE211ProgramSizeEv(void *)')(object);
    bind('void _ZN3re23RE2D1Ev(void *)')(object);
    return answer;
  });
};

const uv: Job = (bind) => {
  const loop = Buffer.alloc(Number(bind('size_t uv_loop_size()')()));
  const timer = Buffer.alloc(Number(bind('size_t uv_handle_size(int)')(13))); // UV_TIMER
  assert.equal(bind('int uv_loop_init(void *)')(loop), 0);
  assert.equal(bind('int uv_timer_init(void *, void *)')(loop, timer), 0);
  let calls = 0;
  const stop = bind('int uv_timer_stop(void *)');
  const tick = callback('void (*)(void *)', () => {
    if (++calls === 3) stop(timer);
  });
  assert.equal(bind('int uv_timer_start(void *, void *, uint64_t, uint64_t)')(timer, tick, 1, 1), 0);
  const run = bind('int uv_run(void *, int)');
  assert.equal(run(loop, 0), 0);
  bind('void uv_close(void *, void *)')(timer, null);
  run(loop, 0);
  const closed = bind('int uv_loop_close(void *)')(loop);
  koffi.unregister(tick);
  return [calls, closed, bind('const char *uv_version_string()')(), bind('const char *uv_strerror(int)')(-2)];
};

const nghttp2: Job = (bind) => {
  const pairs = [
    [':method', 'GET'],
    [':path', '/index.html?x=1'],
    ['user-agent', 'insitu'],
    ['x-long', text.slice(0, 200)],
  ].map((pair) => pair.map((value) => Buffer.from(value)) as [Buffer, Buffer]);
  const list = Buffer.alloc(40 * pairs.length); // nghttp2_nv
  pairs.forEach(([name, value], i) => {
    list.writeBigUInt64LE(koffi.address(name), 40 * i);
    list.writeBigUInt64LE(koffi.address(value), 40 * i + 8);
    list.writeBigUInt64LE(BigInt(name.length), 40 * i + 16);
    list.writeBigUInt64LE(BigInt(value.length), 40 * i + 24);
  });
  const out = [null];
  assert.equal(bind('int nghttp2_hd_deflate_new(_Out_ void **, size_t)')(out, 4096), 0);
  const block = Buffer.alloc(4096);
  const deflate = bind('long nghttp2_hd_deflate_hd(void *, void *, size_t, void *, size_t)');
  const blocks = [0, 1].map(() =>
    hex(block.subarray(0, Number(deflate(out[0], block, block.length, list, pairs.length)))),
  );
  bind('void nghttp2_hd_deflate_del(void *)')(out[0]);
  return blocks;
};

const tinfo: Job = (bind) => {
  const error = [0];
  assert.equal(bind('int setupterm(const char *, int, _Out_ int *)')('vt100', 1, error), 0);
  const parameters = bind(
    'const char *tparm(const char *, long, long, long, long, long, long, long, long, long)',
  );
  const move = bind('const char *tigetstr(const char *)')('cup');
  return [
    bind('int tigetnum(const char *)')('cols'),
    move,
    parameters(move, 4, 9, 0, 0, 0, 0, 0, 0, 0),
    bind('int tigetflag(const char *)')('am'),
  ];
};

const webp: Job = (bind) => {
  const [width, height] = [40, 30];
  const pixels = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * 7) >> 3));
  const out = [null];
  const encode = bind('size_t WebPEncodeLosslessRGB(const void *, int, int, int, _Out_ void **)');
  const size = Number(encode(pixels, width, height, width * 3, out));
  const stored = Buffer.from(koffi.decode(out[0], 'uint8_t', size) as Uint8Array);
  const [w, h] = [[0], [0]];
  const decoded = bind('void *WebPDecodeRGB(const void *, size_t, _Out_ int *, _Out_ int *)')(
    stored,
    size,
    w,
    h,
  );
  const back = Buffer.from(koffi.decode(decoded, 'uint8_t', pixels.length) as Uint8Array);
  assert(back.equals(pixels), 'pixels read back');
  for (const memory of [out[0], decoded]) bind('void WebPFree(void *)')(memory);
  return [hex(stored), w[0], h[0]];
};

const demangle: Job = (bind) => {
  const status = [0];
  const demangled = bind('const char *__cxa_demangle(const char *, void *, void *, _Out_ int *)');
  return ['_ZNSt6vectorIiSaIiEE9push_backERKi', '_ZN3re23RE2C1EPKc', 'no name'].map((name) => [
    demangled(name, null, null, status),
    status[0],
  ]);
};

const xxhash: Job = (bind) => [
  String(bind('uint64_t XXH64(const void *, size_t, uint64_t)')(data, data.length, 7)),
  String(bind('uint64_t XXH3_64bits(const void *, size_t)')(data, data.length)),
];

const lua: Job = (bind) => {
  const state = bind('void *luaL_newstate()')();
  bind('void luaL_openlibs(void *)')(state);
  const load = bind('int luaL_loadstring(void *, const char *)');
  const call = bind('int lua_pcallk(void *, int, int, int, long, void *)');
  const top = bind('const char *lua_tolstring(void *, int, void *)');
  // an error is a longjmp through mapped code
  return [
    'local t = {} for i = 1, 50 do t[i] = string.format("%x", i * i) end return table.concat(t, ",")',
    'local ok, e = pcall(error, {code = 7}) return tostring(ok) .. e.code',
    'local c = coroutine.wrap(function() coroutine.yield("y") error("deep") end) c() c()',
    'return ("x"):rep(10):gsub("x", "ab")',
    'syntax error here',
  ].map((source) => [load(state, source) || call(state, 0, 1, 0, 0, null), top(state, -1, null)]);
};

const fftw: Job = (bind) => {
  const count = 96;
  const signal = Float64Array.from({ length: 2 * count }, (_, i) => Math.sin(i) + (i % 5));
  const input = Buffer.from(signal.buffer);
  const output = Buffer.alloc(input.length);
  const plan = bind('void *fftw_plan_dft_1d(int, void *, void *, int, uint)')(count, input, output, -1, 64);
  bind('void fftw_execute_dft(void *, void *, void *)')(plan, input, output);
  bind('void fftw_destroy_plan(void *)')(plan);
  return hex(output);
};

const gsl: Job = (bind) => [
  bind('double gsl_sf_bessel_J0(double)')(5),
  bind('double gsl_sf_zeta(double)')(1.5),
  bind('double gsl_cdf_gaussian_Pinv(double, double)')(0.975, 2),
];

const capstone: Job = (bind) => {
  const handle = Buffer.alloc(8);
  assert.equal(bind('int cs_open(int, int, void *)')(3, 8, handle), 0); // CS_ARCH_X86, CS_MODE_64
  const code = Buffer.from('554889e5c5fd6f0762f17c4858c8c3', 'hex');
  const out = [null];
  const csh = handle.readBigUInt64LE();
  const disassemble = bind(
    'size_t cs_disasm(uint64_t, const void *, size_t, uint64_t, size_t, _Out_ void **)',
  );
  const count = Number(disassemble(csh, code, code.length, 0x1000, 0, out));
  const SIZE = 240; // cs_insn of version 4
  const names = Array.from({ length: count }, (_, i) => koffi.decode(out[0], i * SIZE, 'uint32_t'));
  bind('void cs_free(void *, size_t)')(out[0], count);
  bind('int cs_close(void *)')(handle);
  return [count, names[0]];
};

export const jobs: Record<string, Job> = {
  'libz.so.1': zlib,
  'libcrypto.so.3': crypto,
  'libssl.so.3': ssl,
  'libsqlite3.so.0': sqlite,
  'libexpat.so.1': expat,
  'libxml2.so.2': xml2,
  'libzstd.so.1': zstd,
  'liblzma.so.5': lzma,
  'libbz2.so.1.0': bz2,
  'liblz4.so.1': lz4,
  'libsnappy.so.1': snappy,
  'libbrotlienc.so.1': brotliEncoder,
  'libbrotlidec.so.1': brotliDecoder,
  'libicuuc.so.72': icuuc,
  'libicui18n.so.72': icui18n,
  'libgmp.so.10': gmp,
  'libmpfr.so.6': mpfr,
  'libpng16.so.16': png,
  'libpcre2-8.so.0': pcre2,
  'libuuid.so.1': uuid,
  'libcurl.so.4': curl,
  'libfreetype.so.6': freetype,
  'libgcrypt.so.20': gcrypt,
  'libnettle.so.8': nettle,
  'libgnutls.so.30': gnutls,
  'libyaml-0.so.2': yaml,
  'libjansson.so.4': jansson,
  'libjson-c.so.5': jsonC,
  'libglib-2.0.so.0': glib,
  'libidn2.so.0': idn2,
  'libunistring.so.2': unistring,
  'libarchive.so.13': archive,
  'libsodium.so.23': sodium,
  'libre2.so.9': re2,
  'libuv.so.1': uv,
  'libnghttp2.so.14': nghttp2,
  'libtinfo.so.6': tinfo,
  'libwebp.so.7': webp,
  'libstdc++.so.6': demangle,
  'libxxhash.so.0': xxhash,
  'liblua5.4.so.0': lua,
  'libfftw3.so.3': fftw,
  'libgsl.so.27': gsl,
  'libcapstone.so.4': capstone,
};

const jobOf = (file: string): Job => {
  const job = jobs[file];
  assert(job !== undefined, `no job for ${file}`);
  return job;
};

/** In place and as a copy; answers what both answered. */
export function runJob(file: string, path: string): unknown {
  const answers = [...places].reverse().map((place) => {
    const library = loadSync(path, { place });
    const answer = jobOf(file)((prototype) => library.func(prototype));
    const { base } = library.report;
    library.close();
    checkClosed(path, place, base);
    return answer;
  });
  assert.deepEqual(answers[1], answers[0], 'as a copy and in place');
  return answers[0];
}

/** What dlopen makes of the same file: the node binary exports OpenSSL, zlib and ICU, hence RTLD_DEEPBIND. */
export function runReferenceJob(file: string, path: string): unknown {
  const library = koffi.load(path, { deep: true });
  const answer = jobOf(file)((prototype) => library.func(prototype));
  return answer;
}

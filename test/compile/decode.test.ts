// decode.ts: each malformed encoding is refused with its text and place, by V8 too; real modules give what V8's
// reflection says of them.
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decode } from '../../loader/compile/decode.ts';
import { ModuleError, UnsupportedFeature, ValueType } from '../../loader/compile/module.ts';
import { Reader } from '../../loader/compile/reader.ts';
import {
  type Bytes,
  bodies,
  hex,
  moduleOf,
  name,
  preamble,
  section,
  signature,
  types,
  u32,
  vector,
} from './decode-bytes.ts';
import { v8 } from './validate-v8.ts';

const test = suite('decode');
const real = ['command', 'reactor'].map((kind) => {
  const file = `@bytecodealliance/jco/lib/wasi_snapshot_preview1.${kind}.wasm`;
  return readFileSync(new URL(`../../node_modules/${file}`, import.meta.url));
});

interface Row {
  what: string;
  bytes: Uint8Array;
  text: string;
  offset: number;
}

const nothing = signature([], []);
const malformed: Row[] = [
  { what: 'no bytes', bytes: Uint8Array.from([]), text: 'unexpected end', offset: 0 },
  { what: 'half a magic', bytes: Uint8Array.from([0, 0x61]), text: 'unexpected end', offset: 0 },
  {
    what: 'magic',
    bytes: Uint8Array.from(hex('0061736e 01000000')),
    text: 'magic header not detected',
    offset: 0,
  },
  {
    what: 'version',
    bytes: Uint8Array.from(hex('0061736d 02000000')),
    text: 'unknown binary version',
    offset: 4,
  },
  {
    what: 'version of a component',
    bytes: Uint8Array.from(hex('0061736d 0d000100')),
    text: 'unknown binary version',
    offset: 4,
  },
  { what: 'section id', bytes: moduleOf([14, 0]), text: 'malformed section id: 14', offset: 8 },
  { what: 'section without size', bytes: moduleOf([1]), text: 'unexpected end', offset: 9 },
  { what: 'section beyond the module', bytes: moduleOf([1, 2, 0]), text: 'length out of bounds', offset: 10 },
  {
    what: 'section with bytes left',
    bytes: moduleOf(section(1, [0, 0])),
    text: 'section size mismatch: 1 bytes left',
    offset: 11,
  },
  {
    what: 'section twice',
    bytes: moduleOf(types(), types()),
    text: 'unexpected content after last section',
    offset: 11,
  },
  {
    what: 'sections out of order',
    bytes: moduleOf(section(5, [0]), section(4, [0])),
    text: 'unexpected content after last section',
    offset: 11,
  },
  {
    what: 'tags after globals',
    bytes: moduleOf(section(6, [0]), section(13, [0])),
    text: 'unexpected content after last section',
    offset: 11,
  },
  {
    what: 'data count after code',
    bytes: moduleOf(section(10, [0]), section(12, [0])),
    text: 'unexpected content after last section',
    offset: 11,
  },
  {
    what: 'type count',
    bytes: moduleOf(section(1, u32(0xffffffff))),
    text: 'length out of bounds',
    offset: 10,
  },
  { what: 'type form', bytes: moduleOf(types([0x40])), text: 'malformed definition type', offset: 11 },
  {
    what: 'value type',
    bytes: moduleOf(types(signature([0x40], []))),
    text: 'malformed value type',
    offset: 13,
  },
  {
    what: 'packed type as value type',
    bytes: moduleOf(types(signature([0x78], []))),
    text: 'malformed value type',
    offset: 13,
  },
  {
    what: 'heap type',
    bytes: moduleOf(section(4, vector(hex('63 40 00 00')))),
    text: 'malformed heap type',
    offset: 12,
  },
  {
    what: '1001 parameters',
    bytes: moduleOf(types(signature(Array(1001).fill(0x7f), []))),
    text: '1001 parameters, want at most 1000',
    offset: 12,
  },
  {
    what: '1001 results',
    bytes: moduleOf(types(signature([], Array(1001).fill(0x7f)))),
    text: '1001 results, want at most 1000',
    offset: 12,
  },
  {
    what: 'import kind',
    bytes: moduleOf(section(2, vector([...name('m'), ...name('n'), 5, 0]))),
    text: 'malformed import kind',
    offset: 15,
  },
  {
    what: 'name beyond the section',
    bytes: moduleOf(section(2, vector([9, 0x61]))),
    text: 'length out of bounds',
    offset: 12,
  },
  {
    what: 'name that is not UTF-8',
    bytes: moduleOf(section(2, vector([2, 0xc0, 0x80, 0, 0, 0]))),
    text: 'malformed UTF-8 encoding',
    offset: 12,
  },
  {
    what: 'name of half a surrogate pair',
    bytes: moduleOf(section(7, vector([3, 0xed, 0xa0, 0x80, 0, 0]))),
    text: 'malformed UTF-8 encoding',
    offset: 12,
  },
  { what: 'custom section without name', bytes: moduleOf(section(0)), text: 'unexpected end', offset: 10 },
  {
    what: 'custom section with a malformed name',
    bytes: moduleOf(section(0, [1, 0xff])),
    text: 'malformed UTF-8 encoding',
    offset: 11,
  },
  {
    what: 'functions without bodies',
    bytes: moduleOf(types(nothing), section(3, vector([0]))),
    text: 'function and code section have inconsistent lengths: 1, 0',
    offset: 18,
  },
  {
    what: 'bodies without functions',
    bytes: moduleOf(bodies([0, 0x0b])),
    text: 'function and code section have inconsistent lengths: 0, 1',
    offset: 14,
  },
  {
    what: 'limits flags',
    bytes: moduleOf(section(5, vector([0x10, 0]))),
    text: 'malformed limits flags',
    offset: 11,
  },
  {
    what: 'shared table',
    bytes: moduleOf(section(4, vector([0x70, 3, 0, 1]))),
    text: 'malformed limits flags',
    offset: 12,
  },
  {
    what: 'limits upside down',
    bytes: moduleOf(section(5, vector([1, 2, 1]))),
    text: 'size minimum must not be greater than maximum: 2, 1',
    offset: 11,
  },
  {
    what: 'table of numbers',
    bytes: moduleOf(section(4, vector([0x7f, 0, 0]))),
    text: 'malformed reference type',
    offset: 11,
  },
  {
    what: 'table with an initial element',
    bytes: moduleOf(section(4, vector(hex('40 01 70 00 00 d070 0b')))),
    text: 'zero byte expected',
    offset: 12,
  },
  {
    what: 'mutability',
    bytes: moduleOf(section(6, vector(hex('7f 02 41 00 0b')))),
    text: 'malformed mutability',
    offset: 12,
  },
  {
    what: 'tag attribute',
    bytes: moduleOf(types(nothing), section(13, vector([1, 0]))),
    text: 'malformed tag attribute',
    offset: 17,
  },
  {
    what: 'export kind',
    bytes: moduleOf(section(7, vector([...name('x'), 5, 0]))),
    text: 'malformed export kind',
    offset: 13,
  },
  { what: 'start without index', bytes: moduleOf(section(8)), text: 'unexpected end', offset: 10 },
  {
    what: 'expression without end',
    bytes: moduleOf(section(6, vector(hex('7f 00 41 00')))),
    text: 'unexpected end',
    offset: 15,
  },
  {
    what: 'expression with a call',
    bytes: moduleOf(section(6, vector(hex('7f 00 10 00 0b')))),
    text: 'constant expression required',
    offset: 13,
  },
  {
    what: 'element segment flags',
    bytes: moduleOf(section(9, vector([8, 0]))),
    text: 'malformed elements segment kind',
    offset: 11,
  },
  {
    what: 'element kind',
    bytes: moduleOf(section(9, vector([1, 1, 0]))),
    text: 'malformed element kind',
    offset: 12,
  },
  {
    what: 'data segment flags',
    bytes: moduleOf(section(11, vector([3, 0]))),
    text: 'malformed data segment kind',
    offset: 11,
  },
  {
    what: 'data beyond its section',
    bytes: moduleOf(section(11, vector([1, 2, 0]))),
    text: 'unexpected end',
    offset: 13,
  },
  {
    what: 'data count',
    bytes: moduleOf(section(12, u32(1))),
    text: 'data count and data section have inconsistent lengths: 1, 0',
    offset: 11,
  },
  {
    what: 'body beyond its section',
    bytes: moduleOf(types(nothing), section(3, vector([0])), section(10, vector([3, 0, 0x0b]))),
    text: 'unexpected end',
    offset: 22,
  },
  {
    what: 'locals that are too many',
    bytes: moduleOf(
      types(nothing),
      section(3, vector([0])),
      bodies([2, ...u32(0xffffffff), 0x7f, 1, 0x7e, 0x0b]),
    ),
    text: 'too many locals: 4294967295, want at most 50000',
    offset: 28,
  },
  {
    what: 'locals without a type',
    bytes: moduleOf(types(nothing), section(3, vector([0])), bodies([1, 1])),
    text: 'unexpected end',
    offset: 24,
  },
  {
    what: 'LEB128 too long',
    bytes: moduleOf(section(1, hex('8080808080 00'))),
    text: 'integer representation too long',
    offset: 10,
  },
  {
    what: 'LEB128 too large',
    bytes: moduleOf(section(1, hex('8080808010'))),
    text: 'integer too large',
    offset: 10,
  },
];

function refusal(bytes: Uint8Array): unknown {
  try {
    decode(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

for (const { what, bytes, text, offset } of malformed) {
  test(`malformed: ${what}`, () => {
    const error = refusal(bytes);
    assert.instance(error, ModuleError);
    assert.is((error as ModuleError).message, `${text} @+${offset}`);
    assert.is((error as ModuleError).offset, offset);
    assert.not(v8.validate(bytes), 'V8 accepts it');
  });
}

const notCompiled: [string, Uint8Array, string][] = [
  ['a struct type', moduleOf(types([0x5f, 0])), 'gc'],
  ['a recursion group', moduleOf(types([0x4e, 0])), 'gc'],
  ['anyref', moduleOf(types(signature([0x6e], []))), 'gc'],
  ['ref.null none', moduleOf(section(6, vector(hex('6f 00 d0 71 0b')))), 'gc'],
  ['ref.i31 in an expression', moduleOf(section(6, vector(hex('6f 00 41 00 fb 1c 0b')))), 'gc'],
  ['a reference that is not null', moduleOf(types(signature([0x64, 0x70], []))), 'function-references'],
  ['a typed function reference', moduleOf(types(nothing, signature([0x63, 0], []))), 'function-references'],
  ['a continuation type', moduleOf(types([0x5d, 0])), 'stack-switching'],
  ['a shared type', moduleOf(types([0x65, 0x5f, 0])), 'shared-everything-threads'],
  ['a page size', moduleOf(section(5, vector([8, 0, 0]))), 'custom-page-sizes'],
];

for (const [what, bytes, feature] of notCompiled) {
  test(`not compiled: ${what}`, () => {
    const error = refusal(bytes);
    assert.instance(error, UnsupportedFeature);
    assert.is((error as UnsupportedFeature).feature, feature);
  });
}

test('integers: every length, the bounds, one bit too much', () => {
  const read = (bytes: Bytes) => new Reader(Uint8Array.from(bytes));
  const whole = <T>(bytes: Bytes, one: (r: Reader) => T): T => {
    const r = read(bytes);
    const value = one(r);
    assert.ok(r.done, 'bytes are left');
    return value;
  };
  const signed = (value: bigint, least: number): Bytes => {
    const bytes: number[] = [];
    let rest = value;
    do {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    } while (
      bytes.length < least ||
      (rest !== 0n && rest !== -1n) ||
      (rest === -1n) !== ((bytes.at(-1) ?? 0) & 0x40) > 0
    );
    return [...bytes.slice(0, -1), (bytes.at(-1) ?? 0) & 0x7f];
  };
  for (let bit = 0; bit < 64; bit++) {
    for (const value of [(1n << BigInt(bit)) - 1n, 1n << BigInt(bit), -(1n << BigInt(bit))]) {
      for (let least = 1; least <= 5; least++) {
        if (value === BigInt.asIntN(32, value))
          assert.is(BigInt(whole(signed(value, least), (r) => r.s32())), value);
        if (value === BigInt.asIntN(33, value))
          assert.is(BigInt(whole(signed(value, least), (r) => r.s33())), value);
      }
      for (let least = 1; least <= 10; least++) {
        if (value === BigInt.asIntN(64, value))
          assert.is(
            whole(signed(value, least), (r) => r.s64()),
            value,
          );
      }
      if (value < 0n) continue;
      assert.is(
        whole(u32(Number(value)), (r) => r.u64Rounded()),
        Number(value),
      );
      if (bit < 53)
        assert.is(
          whole(u32(Number(value)), (r) => r.u64()),
          value,
        );
      if (value < 2n ** 32n) assert.is(BigInt(whole(u32(Number(value)), (r) => r.u32())), value);
    }
  }
  const ones = (count: number, last: number) => [...Array(count).fill(0xff), last];
  assert.is(
    whole(ones(9, 1), (r) => r.u64()),
    2n ** 64n - 1n,
  );
  const large = 'integer too large @+0';
  const long = 'integer representation too long @+0';
  const refused: [Bytes, (r: Reader) => unknown, string][] = [
    [ones(4, 0x1f), (r) => r.u32(), large],
    [ones(4, 0x8f), (r) => r.u32(), long],
    [ones(4, 0x08), (r) => r.s32(), large],
    [ones(4, 0x77), (r) => r.s32(), large],
    [ones(4, 0xff), (r) => r.s32(), long],
    [ones(4, 0x10), (r) => r.s33(), large],
    [ones(4, 0x6f), (r) => r.s33(), large],
    [ones(4, 0xff), (r) => r.s33(), long],
    [ones(9, 0x02), (r) => r.u64(), large],
    [ones(9, 0x81), (r) => r.u64(), long],
    [ones(9, 0x01), (r) => r.s64(), large],
    [ones(9, 0x7e), (r) => r.s64(), large],
    [ones(9, 0xff), (r) => r.s64(), long],
    [ones(3, 0x80), (r) => r.s64(), 'unexpected end @+4'],
  ];
  for (const [bytes, one, message] of refused) {
    assert.throws(
      () => one(read(bytes)),
      (error: Error) => error.message === message,
    );
  }
});

test('long forms of reference types are the same types', () => {
  const table = (element: Bytes) => decode(moduleOf(section(4, vector([...element, 0, 0])))).tables[0];
  assert.is(table([0x63, 0x70])?.type.element, ValueType.funcref);
  assert.is(table([0x63, 0xf0, 0x7f])?.type.element, ValueType.funcref);
  assert.is(table([0x63, 0x6f])?.type.element, ValueType.externref);
  assert.is(table([0x63, 0x69])?.type.element, ValueType.exnref);
});

test('real modules: imports, exports and custom sections as V8 has them', () => {
  for (const bytes of real) {
    const module = decode(bytes);
    const compiled = new v8.Module(bytes);
    const imports = module.imports.map(({ module, name, kind }) => ({ module, name, kind }));
    assert.equal(imports, v8.Module.imports(compiled));
    const exports = module.exports.map(({ name, kind }) => ({ name, kind }));
    assert.equal(exports, v8.Module.exports(compiled));
    assert.ok(module.customs.length > 0 && module.data.length + module.bodies.length > 50);
    for (const { name } of module.customs) {
      const found = module.customs.filter((custom) => custom.name === name);
      const spans = found.map(({ bytes: span }) => Buffer.from(bytes.subarray(span.start, span.end)));
      assert.equal(
        spans,
        v8.Module.customSections(compiled, name).map((each) => Buffer.from(each)),
      );
    }
  }
});

test('a module cut short is refused wherever V8 refuses it', () => {
  const [bytes] = real as [Buffer];
  let refused = 0;
  // Every place in the small sections, then some of the code's.
  for (let end = 0; end < bytes.length; end += end < 6000 ? 1 : 997) {
    const cut = bytes.subarray(0, end);
    const found = refusal(cut);
    if (found !== undefined) assert.instance(found, ModuleError);
    assert.is(found === undefined, v8.validate(cut), `cut after ${end} bytes`);
    if (found) refused++;
  }
  assert.ok(refused > 5000, `${refused} refused`);
});

test('hostile counts cost nothing', () => {
  const began = process.memoryUsage();
  for (const id of [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13]) {
    const bytes = moduleOf(section(id, u32(0xffffffff), [0, 0, 0, 0]));
    assert.match((refusal(bytes) as Error).message, 'length out of bounds');
  }
  const segment = moduleOf(section(9, vector([1, 0, ...u32(0xffffffff)])));
  assert.match((refusal(segment) as Error).message, 'length out of bounds');
  const ended = process.memoryUsage();
  assert.ok(ended.rss - began.rss < 64 * 2 ** 20);
});

test('a module of 32 MB takes less than a second', () => {
  const size = 7 * 2 ** 20;
  const body = [...u32(size), 0, ...u32(0)];
  const count = 5;
  const content = u32(count);
  const total = content.length + count * (u32(size).length + size);
  const head = [...preamble, ...types(nothing), ...section(3, vector(...Array(count).fill([0])))];
  const bytes = new Uint8Array(head.length + 1 + u32(total).length + total).fill(1); // nop
  let at = 0;
  const put = (piece: Bytes) => {
    bytes.set(piece, at);
    at += piece.length;
  };
  put(head);
  put([10, ...u32(total), ...content]);
  for (let i = 0; i < count; i++) {
    put(body.slice(0, -1));
    at += size - 2;
    put([0x0b]);
  }
  assert.is(at, bytes.length);
  const began = performance.now();
  const module = decode(bytes);
  assert.ok(performance.now() - began < 1000);
  assert.is(module.bodies.length, count);
  assert.equal(module.bodies[4]?.code, { start: bytes.length - size + 1, end: bytes.length });
});

test.run();

// What needs no region: where entries go, what names mean.
import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { firstFit, freeRanges, largest, type Range, roundUp, unitOf } from '../../loader/store/allocate.ts';
import { regionPath } from '../../loader/store/locate.ts';
import { isReference, parseReference } from '../../loader/store/reference.ts';
import { nameObstacle } from '../../loader/store/slot.ts';
import { fresh, MIB, refused } from './regions.ts';

const range = ([start, end]: readonly number[]): Range => ({ start, end }) as Range;

const allocate = suite('allocate');

for (const [size, granule, unit] of [
  [0, 4096, 4096],
  [2 * MIB - 1, 4096, 4096],
  [2 * MIB, 4096, 2 * MIB],
  [1, 2 * MIB, 2 * MIB],
  [1, 1024 * MIB, 1024 * MIB],
  [5 * MIB, 1024 * MIB, 1024 * MIB],
] as const)
  allocate(`unit of ${size} bytes in granules of ${granule}`, () => assert.is(unitOf(size, granule), unit));

for (const [name, taken, free] of [
  ['nothing taken', [], [[10, 100]]],
  ['all taken', [[10, 100]], []],
  ['more than all taken', [[0, 200]], []],
  [
    'the middle',
    [[20, 30]],
    [
      [10, 20],
      [30, 100],
    ],
  ],
  [
    'out of order',
    [
      [50, 60],
      [20, 30],
    ],
    [
      [10, 20],
      [30, 50],
      [60, 100],
    ],
  ],
  [
    'overlapping',
    [
      [20, 50],
      [30, 40],
      [45, 60],
    ],
    [
      [10, 20],
      [60, 100],
    ],
  ],
  [
    'outside',
    [
      [0, 5],
      [100, 120],
    ],
    [[10, 100]],
  ],
  [
    'over the edges',
    [
      [5, 15],
      [90, 120],
    ],
    [[15, 90]],
  ],
  ['behind the end', [[150, 160]], [[10, 100]]],
] as const)
  allocate(`free: ${name}`, () => {
    assert.equal(freeRanges({ start: 10, end: 100 }, taken.map(range)), free.map(range));
  });

for (const [name, free, cursor, span, unit, at] of [
  ['at the cursor', [[0, 100]], 40, 10, 1, 40],
  ['at the next unit behind it', [[0, 100]], 41, 10, 8, 48],
  [
    'behind it rather than before',
    [
      [0, 30],
      [60, 100],
    ],
    40,
    10,
    1,
    60,
  ],
  [
    'around the end',
    [
      [0, 30],
      [95, 100],
    ],
    95,
    10,
    1,
    0,
  ],
  ['across the cursor', [[0, 100]], 50, 80, 1, 0],
  ['exactly', [[8, 24]], 0, 16, 8, 8],
  ['not, by one byte', [[8, 23]], 0, 16, 8, undefined],
  ['not, unaligned', [[1, 16]], 0, 15, 8, undefined],
  ['not at all', [], 0, 1, 1, undefined],
] as const)
  allocate(`first fit: ${name}`, () => assert.is(firstFit(free.map(range), cursor, span, unit), at));

allocate('largest and roundUp', () => {
  assert.is(largest([range([1, 20]), range([30, 50])], 8), 18);
  assert.is(largest([], 8), 0);
  assert.is(roundUp(2 ** 40 + 1, 4096), 2 ** 40 + 4096);
});

allocate.run();

const reference = suite('reference');

for (const [name, wanted] of [
  ['plain', { is: 'file', path: 'plain' }],
  ['/a/b', { is: 'file', path: '/a/b' }],
  ['a@b', { is: 'file', path: 'a@b' }],
  ['lib@1.so', { is: 'file', path: 'lib@1.so' }],
  ['devdax', { is: 'file', path: 'devdax' }],
  ['./devdax:x', { is: 'file', path: './devdax:x' }],
  ['x@4096', { is: 'part', path: 'x', start: 4096, size: undefined }],
  ['x@0x1000', { is: 'part', path: 'x', start: 4096, size: undefined }],
  ['x@4096+100', { is: 'part', path: 'x', start: 4096, size: 100 }],
  ['x@0x1000+0X10', { is: 'part', path: 'x', start: 4096, size: 16 }],
  ['a@1@2', { is: 'part', path: 'a@1', start: 2, size: undefined }],
  ['devdax:a', { is: 'entry', region: null, name: 'a' }],
  ['devdax:a@4096', { is: 'entry', region: null, name: 'a@4096' }],
  ['devdax:dax0.1/a', { is: 'entry', region: '/dev/dax0.1', name: 'a' }],
  ['region:/a/b/c', { is: 'entry', region: '/a/b', name: 'c' }],
  ['region:r/n', { is: 'entry', region: 'r', name: 'n' }],
  ['region:./dax0.1/n', { is: 'entry', region: './dax0.1', name: 'n' }],
] as const)
  reference(`${name} is a ${wanted.is}`, () => {
    assert.equal(parseReference(name), wanted);
    assert.is(isReference(name), wanted.is !== 'file');
  });

for (const name of [
  'devdax:',
  'devdax:/a',
  'devdax:a/b',
  'devdax:dax0.1/',
  'devdax:dax0.1/a/b',
  'devdax:dax0/a',
])
  reference(`${name} means nothing`, () => {
    refused(() => parseReference(name), 'ERR_REFERENCE', /want devdax:NAME or devdax:dax0\.0\/NAME/);
  });
for (const name of ['region:', 'region:x', 'region:/', 'region:/x', 'region:x/'])
  reference(`${name} means nothing`, () => {
    refused(() => parseReference(name), 'ERR_REFERENCE', /want region:PATH\/NAME/);
  });

reference('offsets behind the end of any file', () => {
  refused(() => parseReference('x@99999999999999999999'), 'ERR_REFERENCE', /want bytes below 2\^53/);
  refused(() => parseReference('x@4096+99999999999999999999'), 'ERR_REFERENCE', /want bytes below 2\^53/);
});

reference('a file of this very name is that file', () => {
  const path = `${fresh()}@4096`;
  assert.is(isReference(path), true);
  writeFileSync(path, '');
  assert.is(isReference(path), false);
});

reference('regions by their node', () => {
  assert.is(regionPath('/x/y'), '/x/y');
  assert.is(regionPath('devdax:dax3.0'), '/dev/dax3.0');
  assert.is(
    regionPath('devdax:', () => ['/dev/dax0.0']),
    '/dev/dax0.0',
  );
  refused(() => regionPath('devdax:', () => []), 'ERR_REFERENCE', /of a machine that has none/);
  refused(
    () => regionPath('devdax:', () => ['/dev/dax0.0', '/dev/dax1.0']),
    'ERR_REFERENCE',
    /any of .*dax1\.0/,
  );
  refused(() => regionPath('devdax:x'), 'ERR_REFERENCE', /want devdax: or devdax:dax0\.0/);
});

reference.run();

const names = suite('names');

for (const [name, obstacle] of [
  ['a', ''],
  ['libz.so.1', ''],
  ['Größe 漢字 🙂', ''],
  ['x'.repeat(255), ''],
  ['…', ''],
  ['', 'is no name'],
  ['.', 'is no name'],
  ['..', 'is no name'],
  ['a/b', "has a '/' in it"],
  ['a\0', 'has a control character in it'],
  ['a\n', 'has a control character in it'],
  ['\x9b', 'has a control character in it'],
  ['\ud800', 'is no well-formed Unicode'],
  ['x'.repeat(256), 'is longer than 255 bytes'],
  ['é'.repeat(128), 'is longer than 255 bytes'],
] as const)
  names(JSON.stringify(name.slice(0, 20)), () => assert.is(nameObstacle(name), obstacle));

names.run();

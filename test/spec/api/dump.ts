// Prints what the scripts see on a way, or where that is not what they see on V8:
// node --import tsx test/spec/api/dump.ts [WAY [AREA [unlike]]]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { ways } from '../ways.ts';
import type { Seen } from './child.ts';
import { compareSeen, observe, prepare } from './compare.ts';
import { tell } from './tell.ts';

const [wanted = 'v8', only = '', compared] = process.argv.slice(2);
const way = ways.find((known) => known === wanted);
if (!way) throw new Error(`no way ${wanted}: want ${ways.join(', ')}`);

function print(seen: Seen): void {
  for (const [script, sights] of Object.entries(seen)) {
    console.log(`  ${script}`);
    for (const { label, text } of sights) console.log(`    ${label}: ${text}`);
  }
}

const directory = mkdtempSync(join(tmpdir(), 'insitu-api-'));
try {
  for (const [{ name: area }, modules] of await prepare(way !== 'v8', directory, only)) {
    const seen = await observe({ area, way, modules });
    console.log(area);
    if (compared === undefined) print(seen);
    else console.log(tell(compareSeen(await observe({ area, way: 'v8', modules }), seen)));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

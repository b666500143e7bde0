// Prints what the scripts see on one way: node --import tsx test/spec/api/dump.ts [WAY [AREA]]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { ways } from '../ways.ts';
import { jobOf, observe, prepare } from './compare.ts';

const [wanted = 'v8', only = ''] = process.argv.slice(2);
const way = ways.find((known) => known === wanted);
if (!way) throw new Error(`no way ${wanted}: want ${ways.join(', ')}`);
const directory = mkdtempSync(join(tmpdir(), 'insitu-api-'));
try {
  for (const [area, modules] of await prepare(way !== 'v8', directory)) {
    if (!area.name.includes(only)) continue;
    for (const [script, sights] of Object.entries(await observe(jobOf(area, way, modules)))) {
      console.log(`${area.name}: ${script}`);
      for (const { label, text } of sights) console.log(`  ${label}: ${text}`);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

// What inspect says of WebAssembly besides what it says of every file.

import type { Listing } from '../../loader/listing.ts';
import { type ImageHandle, native } from '../../loader/native.ts';
import { Report } from '../../loader/report.ts';
import { listComponent, listImage, listModule, type WasmListing } from '../../loader/wasm-listing.ts';
import { bytes, describeBacking, facts } from './text.ts';

/** Undefined of a file that has nothing to do with WebAssembly. */
export function listWasm(listing: Listing): WasmListing | undefined {
  const { format, file } = listing;
  if (format === 'wasm-module') return listModule(file);
  return format === 'wasm-component' ? listComponent(file) : listImage(listing);
}

/** Lines for people. */
export function describeWasm(wasm: WasmListing, file: string): string {
  const rows: [string, string][] = [];
  if (wasm.malformed !== null) rows.push(['malformed', wasm.malformed]);
  if (wasm.interface !== null) {
    rows.push(
      ['imports', countsText(wasm.interface.imports)],
      ['exports', countsText(wasm.interface.exports)],
    );
  }
  const { image, cores } = wasm;
  if (image !== null) rows.push(...imageRows(image, file));
  else if (cores === null) rows.push(['image', `none in a store (insitu install ${file})`]);
  if (cores !== null) rows.push(['core modules', `${cores.length}`]);
  const parts = [facts(rows)];
  for (const core of cores ?? []) parts.push(`${core.path}\n${describeWasm(core, core.path)}`);
  return parts.join('\n\n');
}

function imageRows(image: NonNullable<WasmListing['image']>, file: string): [string, string][] {
  const { sha256, tier, memoryImageBytes, backing } = image;
  const rows: [string, string][] = [];
  if (image.file !== file) rows.push(['image', `${image.file} (${bytes(image.size)})`]);
  if (image.store !== null) rows.push(['store', `${image.store}, ${describeBacking(backing)}`]);
  if (tier === null) rows.push(['image format', `${image.imageFormat}: of another version`]);
  else rows.push(['compiled', `${tier} tier, from sha256 ${sha256}`]);
  if (memoryImageBytes !== null) rows.push(['memory image', `${bytes(memoryImageBytes)}, copied on write`]);
  return rows;
}

function countsText(counts: Record<string, number>): string {
  const all = Object.entries(counts).map(([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  return all.length === 0 ? 'none' : all.join(', ').replace('memorys', 'memories');
}

const WASM = 8;
const PREFAULT = 4; // only resident pages can be shown to be anywhere

/** Where the pages of an image are once it is mapped and all of its text was touched. @throws LoadError */
export function evidenceOfImage(path: string) {
  const handle: ImageHandle = native.load(path, WASM | PREFAULT);
  const report = new Report(path, 'in-place', handle, true);
  return report.evidence;
}

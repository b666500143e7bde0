// What became of a shared object that is mapped in this process, by ld.so or insitu, asked for when the process ends.
import { readFileSync } from 'node:fs';
import { type Medium, OpenFile } from '../../loader/backing.ts';
import { LoadError } from '../../loader/error.ts';
import { dramSaved, type Evidence, takeEvidence } from '../../loader/evidence.ts';
import { read } from '../../loader/image.ts';
import { type ImageHandle, native } from '../../loader/native.ts';
import { Report } from '../../loader/report.ts';

export interface OpenedReport {
  path: string;
  medium: Medium;
  fileSystem: string;
  /** Bytes; null where that cannot be told. */
  dramSaved: number | null;
  evidence: Evidence;
}

/** Of a file, or of all in its set in the store. None where it is not mapped any more, or another by now. */
export function openedReports(path: string): OpenedReport[] {
  try {
    const set = /^.*\/libraries\/[0-9a-f]{64}\/files\//.exec(path)?.[0];
    return mappings()
      .filter((mapping) => mapping.path === path || (set !== undefined && mapping.path.startsWith(set)))
      .map(reportOf);
  } catch {
    return []; // nothing is claimed
  }
}

/** Of what insitu has loaded. @param path what it is to be called; `stored`: where it lies */
export function loadedReport(path: string, stored: string, handle: ImageHandle): OpenedReport {
  const { backing, evidence } = new Report(stored, 'in-place', handle);
  const { medium, fileSystem } = backing;
  return { path, medium, fileSystem, dramSaved: dramSaved(evidence), evidence };
}

interface FirstPage {
  path: string;
  inode: number;
  address: bigint;
}

/** First pages of files, by /proc/self/maps (proc(5)). */
function mappings(): FirstPage[] {
  const line = /^([0-9a-f]+)-[0-9a-f]+ \S+ 0+ [0-9a-f]+:[0-9a-f]+ (\d+) +(\/.*)$/gm;
  return [...readFileSync('/proc/self/maps', 'utf8').matchAll(line)].map(([, address, inode, path]) => ({
    ...{ path: path as string, inode: Number(inode), address: BigInt(`0x${address}`) },
  }));
}

/** @throws LoadError where the file is another one by now */
function reportOf({ path, inode, address }: FirstPage): OpenedReport {
  using file = new OpenFile(path);
  const { medium, fileSystem } = file.backing;
  if (file.backing.inode !== inode) throw new LoadError('ERR_CHANGED', path, 'was replaced');
  const image = read(file);
  try {
    const evidence = takeEvidence(image.handle, address - BigInt(image.lo), medium);
    return { path, medium, fileSystem, dramSaved: dramSaved(evidence), evidence };
  } finally {
    native.closeImage(image.handle);
  }
}

// Files that are placed again and again under the same names, each time with another content that says which it is.
import { derived, mix } from './record.ts';

export const names = ['small', 'middle', 'large'] as const;
/** Placed once, and never touched again. */
export const KEPT = 'kept';
/** Planted: put into its directory by write and rename, and told as if that were enough. */
export const PLANTED = 'planted';

/** Directories that files are placed in: by medium, and the planted one. The region is apart. */
export const placings = ['ext4-2m', 'ext4-4k', 'xfs', 'ext4-nodax', 'ext4-block', PLANTED];

/** @param root where the media are mounted */
export function directoryOf(placing: string, root: string): string {
  return placing === PLANTED ? `${root}/ext4-nodax/planted` : `${root}/${placing}/placed`;
}

const sizes = [100, 9000, 60_000, 5000, 9000];
const HEADER = 12; // number of the name, version, length; u32 each
const CHUNK = 16384;

const numberOf = (name: string) => [...names, KEPT, PLANTED].indexOf(name);

export function contentOf(name: string, version: number): Buffer {
  const number = numberOf(name);
  const seed = mix(number * 0x01000193 + version);
  const most = sizes[number] ?? 0;
  const length = HEADER + (most >> 1) + (seed % most);
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += CHUNK) derived(seed + at, Math.min(CHUNK, length - at)).copy(bytes, at);
  for (const [i, value] of [number, version, length].entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
}

/** The version that these bytes are the whole of; 'broken' if they are none. */
export function versionOf(name: string, bytes: Buffer): number | 'broken' {
  if (bytes.length < HEADER || bytes.readUInt32LE(0) !== numberOf(name)) return 'broken';
  const version = bytes.readUInt32LE(4);
  return contentOf(name, version).equals(bytes) ? version : 'broken';
}

export interface Held {
  /** By name. */
  versions: Map<string, number | 'broken'>;
  /** What an interrupted placing has left. */
  temporaries: number;
  /** A placing had begun, and was not at its end. */
  begun: boolean;
}

/** The opposite of the guest's own text of it. */
export function parseHeld(text: string): Held {
  const pairs = text.split(',').map((pair) => pair.split('=') as [string, string]);
  const versions = pairs
    .filter(([name]) => name !== 'temporaries')
    .map(([name, version]): [string, number | 'broken'] => [
      name,
      version === 'broken' ? version : Number(version),
    ]);
  const temporaries = Number(pairs.at(-1)?.[1]);
  return { versions: new Map(versions), temporaries, begun: temporaries > 0 };
}

/** What is wrong with what is held, given what was told to be placed; one line each. */
export function complaints({ versions, temporaries }: Held, told: ReadonlyMap<string, number>): string[] {
  const found: string[] = [];
  for (const [name, version] of told) {
    const held = versions.get(name);
    if (held === undefined) found.push(`${name} is not there; want version ${version}`);
    else if (held !== 'broken' && held < version) found.push(`${name} is version ${held}; want ${version}`);
  }
  for (const [name, version] of versions) if (version === 'broken') found.push(`${name} is no version whole`);
  if (temporaries > 1) found.push(`${temporaries} temporary files; want one at most`);
  return found;
}

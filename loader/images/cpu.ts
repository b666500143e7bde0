// Names for CPUs: an image that was compiled for this very one is not taken for another's.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What tells CPUs apart as far as compiled code goes: maker, model, and what they can do (x86, then Arm). */
const TELLING = /^(vendor_id|cpu family|model|flags|CPU implementer|CPU part|Features)\s*:.*$/gm;

/** 16 hexadecimal digits: of the first CPU of this machine, as /proc/cpuinfo describes it. */
export function cpuTag(cpuinfo: string = readFileSync('/proc/cpuinfo', 'utf8')): string {
  const first = cpuinfo.split('\n\n', 1)[0] ?? '';
  const told = first.match(TELLING)?.join('\n') ?? '';
  return createHash('sha256').update(told).digest('hex').slice(0, 16);
}

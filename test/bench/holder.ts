// Loads a library, runs a function on every page of its text, says where the text lies, and waits for its stdin to end.
import { loadSync } from '../../runtime/index.ts';

const [file, place] = process.argv.slice(2) as [string, 'in-place' | 'copy'];
const library = loadSync(file, { place });
library.func('int touch_all(void)')();
const text = library.report.evidence.ranges.find((range) => range.name === 'text');
if (!text) throw new Error(`${file} has no text`);
const begin = Number(text.address);
process.stdout.write(`${JSON.stringify({ begin, end: begin + text.bytes })}\n`);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

// A Node that does nothing, for memory.ts.
import process from 'node:process';

process.stdout.write('ready\n');
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

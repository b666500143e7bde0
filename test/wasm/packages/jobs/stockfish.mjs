// Chess, and others, by Fairy-Stockfish, all of which runs in worker threads: each has an instance of the one module over
// the one shared memory, sleeps there until it is notified, and adds scores up as vectors.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Stockfish from 'fairy-stockfish-nnue.wasm/stockfish.js';

const wasm = createRequire(import.meta.url).resolve('fairy-stockfish-nnue.wasm/stockfish.wasm');
// It would fetch the file by its path, which Node's fetch refuses.
const engine = await Stockfish({ wasmBinary: readFileSync(wasm) });

let lines = [];
let isLast = () => false;
let last = () => {};
engine.addMessageListener((line) => {
  lines.push(line);
  if (isLast(line)) last();
});

/** What it answers up to the line that starts so. */
function answers(commands, end) {
  lines = [];
  isLast = (line) => line.startsWith(end);
  const answered = new Promise((resolve) => {
    last = () => resolve(lines);
  });
  for (const command of commands) engine.postMessage(command);
  return answered;
}

/** Without what depends on the time. */
function timeless(line) {
  if (/^(Total time|Nodes\/second)|currmove/.test(line)) return [];
  return [line.replace(/ (nps|time|hashfull) \d+/g, '')];
}

const print = (all) => console.log(all.flatMap(timeless).join('\n'));

print(await answers(['uci'], 'uciok'));
print(await answers(['bench 16 1 7'], 'Nodes searched'));
for (const variant of ['chess', 'crazyhouse', 'xiangqi', 'shogi', 'ataxx']) {
  const start = [`setoption name UCI_Variant value ${variant}`, 'ucinewgame', 'position startpos'];
  print(await answers([...start, 'go perft 3'], 'Nodes searched'));
  print(await answers([...start, 'go depth 6'], 'bestmove'));
}

// Which thread finds what first differs from run to run; not the one move that mates.
const mates = [
  'r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR w KQkq - 4 4',
  'kbK5/pp6/1P6/8/8/8/8/R7 w - - 0 1',
  '6k1/pp4p1/2p5/2bp4/8/P5Pb/1P3rrP/2BRRN1K b - - 0 1',
];
await answers(
  ['setoption name UCI_Variant value chess', 'setoption name Threads value 3', 'isready'],
  'readyok',
);
for (const mate of mates) {
  const start = ['ucinewgame', `position fen ${mate}`];
  await answers([...start, 'go infinite'], 'info depth 12');
  const stopped = await answers(['stop'], 'bestmove');
  const found = await answers([...start, 'go depth 12'], 'bestmove');
  for (const answer of [stopped, found]) console.log(answer.at(-1).split(' ', 2).join(' '));
}
engine.postMessage('quit');

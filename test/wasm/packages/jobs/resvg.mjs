// A drawing with paths, gradients, filters, masks and transforms, rendered to PNG; and one that is no SVG.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { initWasm, Resvg } from '@resvg/resvg-wasm';

const wasm = createRequire(import.meta.url).resolve('@resvg/resvg-wasm/index_bg.wasm');
await initWasm(readFileSync(wasm));

const petals = Array.from(
  { length: 24 },
  (_, i) => `<use href="#petal" transform="rotate(${i * 15} 200 200)" opacity="${0.3 + i / 40}"/>`,
);
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400" viewBox="0 0 400 400">
<defs><radialGradient id="g"><stop offset="0" stop-color="#fd2"/><stop offset="1" stop-color="#b13"/></radialGradient>
<linearGradient id="l" x2="1" y2="1"><stop stop-color="navy"/><stop offset=".6" stop-color="teal"/></linearGradient>
<filter id="blur"><feGaussianBlur stdDeviation="5"/><feOffset dx="4" dy="4"/></filter>
<mask id="m"><circle cx="200" cy="200" r="190" fill="white"/></mask>
<path id="petal" d="M200 200 C 230 120, 260 80, 200 20 C 140 80, 170 120, 200 200 Z" fill="url(#g)" stroke="black"/></defs>
<g mask="url(#m)"><rect width="400" height="400" fill="url(#l)"/><g filter="url(#blur)">${petals.join('')}</g>
${petals.join('')}<path d="M10 390 Q 200 250 390 390 T 700 300" fill="none" stroke="white" stroke-width="7"
 stroke-dasharray="12 5 3 5" stroke-linecap="round"/></g></svg>`;

const resvg = new Resvg(svg, { fitTo: { mode: 'width', value: 640 }, background: '#eef' });
const image = resvg.render();
const results = [image.width, image.height, createHash('sha256').update(image.pixels).digest('hex')];
const png = image.asPng();
results.push(png.length, createHash('sha256').update(png).digest('hex'));
const { x, y, width, height } = resvg.getBBox();
results.push([x, y, width, height], resvg.toString().length);
try {
  new Resvg('<svg');
} catch (error) {
  results.push(String(error));
}
console.log(JSON.stringify(results));

// source-map (Rust, wasm-bindgen's predecessor): a map is made in JavaScript and read by WebAssembly.
import { SourceMapConsumer, SourceMapGenerator } from 'source-map';

const generator = new SourceMapGenerator({ file: 'out.js' });
for (let i = 0; i < 20_000; i++)
  generator.addMapping({
    source: `source-${i % 7}.js`,
    original: { line: 1 + ((i * 31) % 5000), column: (i * 17) % 120 },
    generated: { line: 1 + (i >> 3), column: (i % 8) * 10 },
    ...(i % 3 === 0 && { name: `name${i % 50}` }),
  });
const results = [];
await SourceMapConsumer.with(generator.toJSON(), null, (consumer) => {
  for (let line = 1; line < 2500; line += 13)
    results.push(consumer.originalPositionFor({ line, column: 25 }));
  results.push(consumer.allGeneratedPositionsFor({ source: 'source-3.js', line: 32, column: 17 }));
  let count = 0;
  consumer.eachMapping(({ generatedLine, originalLine }) => {
    count = (count * 31 + generatedLine + (originalLine ?? 0)) | 0;
  });
  results.push(count);
});
console.log(JSON.stringify(results));

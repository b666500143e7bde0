// @hpcc-js/wasm-graphviz (Emscripten with exceptions, packed into its script).
import { Graphviz } from '@hpcc-js/wasm-graphviz';

const graphviz = await Graphviz.load();
const edges = Array.from({ length: 60 }, (_, i) => `n${(i * 7) % 23} -> n${(i * 5) % 19} [label="${i}"];`);
const results = [graphviz.version()];
for (const engine of ['dot', 'circo', 'neato'])
  results.push(graphviz.layout(`digraph g { node [shape=box]; ${edges.join(' ')} }`, 'svg', engine));
try {
  graphviz.dot('digraph { -> }');
} catch (error) {
  results.push(String(error.message ?? error));
}
console.log(JSON.stringify(results));

// Two grammars, linked to the parser as side modules that share its memory and table: trees, edits, queries.
import { createRequire } from 'node:module';
import { Language, Parser, Query } from 'web-tree-sitter';

const { resolve } = createRequire(import.meta.url);
await Parser.init();
const json = await Language.load(resolve('tree-sitter-json/tree-sitter-json.wasm'));
const javascript = await Language.load(resolve('tree-sitter-javascript/tree-sitter-javascript.wasm'));
const parser = new Parser();

parser.setLanguage(json);
const document = JSON.stringify({ a: [1, 2.5e3, null, 'é\u{1f600}'], b: { c: true, d: {} } });
const results = [parser.parse(document).rootNode.toString(), parser.parse('{"a": ]').rootNode.hasError];

parser.setLanguage(javascript);
const line = (i) =>
  `export const f${i} = async ({ a, ...b }, [c = ${i}]) => (a ?? \`\${c}\`).map((x) => x ** ${i});\n`;
const source = Array.from({ length: 400 }, (_, i) => line(i)).join('');
const tree = parser.parse(source);
let nodes = 0;
let sum = 0;
const cursor = tree.walk();
for (let more = true; more; ) {
  nodes++;
  sum = (sum * 31 + cursor.nodeTypeId + cursor.startIndex) % 1000000007;
  more = cursor.gotoFirstChild() || cursor.gotoNextSibling();
  while (!more && cursor.gotoParent()) more = cursor.gotoNextSibling();
}
cursor.delete(); // left to the collector, it may come after what it points to
results.push(nodes, sum);

const at = source.indexOf('f7 ');
const point = (column) => ({ row: 7, column });
tree.edit({
  ...{ startIndex: at, oldEndIndex: at + 2, newEndIndex: at + 5 },
  ...{ startPosition: point(13), oldEndPosition: point(15), newEndPosition: point(18) },
});
const edited = parser.parse(`${source.slice(0, at)}seven${source.slice(at + 2)}`, tree);
results.push(edited.getChangedRanges(tree).length, edited.rootNode.child(7).text);
const query = new Query(javascript, '(variable_declarator name: (identifier) @name (#match? @name "9$"))');
results.push(query.captures(edited.rootNode).map(({ node }) => node.text));
try {
  new Query(javascript, '(no_such_node)');
} catch (error) {
  results.push(error.message);
}
console.log(JSON.stringify(results));

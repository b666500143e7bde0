// tiktoken (Rust, wasm-bindgen), with its vocabularies in the module.
import { get_encoding } from 'tiktoken';

const encoding = get_encoding('cl100k_base');
const text = 'The quick brown fox, 12345 times: “größer” 漢字 🙂\n'.repeat(50);
const tokens = encoding.encode(text);
const back = new TextDecoder().decode(encoding.decode(tokens));
console.log(tokens.length, back === text, JSON.stringify([...tokens.subarray(0, 60)]));
encoding.free();

// What a component of JavaScript exports (programs.ts); Node runs the same, to compare with.

export function sum(values) {
  return values.reduce((a, b) => a + b, 0);
}

export function shout(text) {
  return `${text.toUpperCase()}!`;
}

/** What it throws is the error of a result. */
export function checked(text) {
  if (!/^[a-zß-ÿ]+$/.test(text)) throw `${text} is no word`;
  return [...text].reverse().join('');
}

function* randoms(seed) {
  for (let state = seed; ; yield state) state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
}

class Entry {
  #text;
  constructor(id, text) {
    this.id = id;
    this.#text = text;
  }
  get length() {
    return this.#text.length;
  }
  toJSON() {
    return { id: this.id, text: this.#text, half: this.id / 2 };
  }
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (let e = BigInt(exponent); e > 0n; e >>= 1n, base = (base * base) % modulus)
    if (e & 1n) result = (result * base) % modulus;
  return result;
}

function deep(n) {
  return n === 0 ? 0 : 1 + deep(n - 1);
}

/** Objects, strings, collections, exceptions, large integers, and enough garbage to be collected. */
export function work(seed) {
  const random = randoms(seed);
  const entries = Array.from({ length: 20000 }, () => {
    const id = random.next().value;
    return new Entry(id, `entry ${(id % 1000).toString(36)}`.padEnd(10 + (id % 7), '·'));
  });
  const byLength = new Map();
  for (const entry of entries) byLength.set(entry.length, (byLength.get(entry.length) ?? 0) + 1);
  const json = JSON.stringify(entries.sort((a, b) => a.id - b.id).slice(0, 50));
  const thrown = [() => null.x, () => deep(2000), () => new Array(-1), () => JSON.parse('{"a":')].map(
    (act) => {
      try {
        return act();
      } catch (error) {
        return error.constructor.name;
      }
    },
  );
  const sums = new Float64Array(1000).map((_, i) => Math.sin(i) * Math.sqrt(i));
  return JSON.stringify({
    again: JSON.parse(json),
    byLength: [...byLength].sort(([a], [b]) => a - b),
    words: new Set(json.replace(/(\d)(\d)/g, '$2$1').split(/[^0-9a-z]+/)).size,
    power: `${power(3n, seed, 2n ** 127n - 1n)}`,
    day: new Date(seed * 1000).toISOString(),
    thrown,
    sum: sums.reduce((a, b) => a + b).toFixed(6),
    real: Date.now() > 1.7e12 && Math.random() < 1,
  });
}

// What is not V8's, and why it is not: each line must be seen to differ, or it has to go.
import process from 'node:process';
import type { Unlike } from './compare.ts';
import { isOfWords } from './tell.ts';

interface Known {
  area: string;
  script: string;
  labels: string[];
  why: string;
  /** The last major version of Node where it is so. */
  last?: number;
  /** Of functions that the accelerator did not make. */
  ofScript?: boolean;
}

export const known: Known[] = [
  {
    area: 'functions',
    script: 'what they are',
    labels: ['text', 'new', 'writing the name', 'keys'],
    why: 'an exported function is one of JavaScript: its text is its source, and arguments and caller are not its own',
    ofScript: true,
  },
  {
    area: 'functions',
    script: 'what they are',
    labels: ['new', 'writing the name', 'keys'],
    why: 'arguments and caller are not its own',
    last: 24,
  },
  {
    area: 'shape',
    script: 'structured clones',
    labels: ['of a function'],
    why: 'the error quotes the text of the function',
    ofScript: true,
  },
  {
    area: 'imports',
    script: 'several results of JavaScript',
    labels: ['no iterable', 'undefined', 'null', 'an object'],
    why: "V8 quotes the place in the program's source",
    last: 22,
  },
  {
    area: 'control',
    script: 'traps',
    labels: ['frames'],
    why: 'a function that the compiler put into its caller is no frame',
  },
];

const major = Number(process.versions.node.split('.')[0]);

/** Errors differ in their words only. */
const isAsKnown = (unlike: Unlike): boolean =>
  isOfWords(unlike) || !(unlike.v8.startsWith('throws') || unlike.found.startsWith('throws'));

const names = ({ script, labels }: Known, unlike: Unlike): boolean =>
  unlike.script === script && labels.includes(unlike.label);

/** The differences that nothing explains, and the explanations that no difference needs. */
export function unexplained(
  area: string,
  unlike: Unlike[],
  isAccelerated = false,
): { unlike: Unlike[]; needless: Known[] } {
  const here = known.filter(({ last = major, ofScript }) => major <= last && !(ofScript && isAccelerated));
  const ofArea = here.filter((one) => one.area === area);
  return {
    unlike: unlike.filter((one) => !(isAsKnown(one) && ofArea.some((line) => names(line, one)))),
    needless: ofArea.filter((line) => !unlike.some((one) => names(line, one))),
  };
}

// What is not V8's, and why it is not: each line must be seen to differ, or it has to go.
import type { Unlike } from './compare.ts';
import { isOfWords } from './tell.ts';

interface Known {
  area: string;
  script: string;
  labels: string[];
  why: string;
}

export const known: Known[] = [
  {
    area: 'functions',
    script: 'what they are',
    labels: ['keys'],
    why: 'only functions of V8 have arguments and caller of their own',
  },
  {
    area: 'functions',
    script: 'what they are',
    labels: ['text', 'new', 'writing the name'],
    why: 'an exported function is one of JavaScript, and its text is its source',
  },
  {
    area: 'shape',
    script: 'structured clones',
    labels: ['of a function'],
    why: 'the error quotes the text of the function',
  },
  {
    area: 'imports',
    script: 'several results of JavaScript',
    labels: ['no iterable', 'undefined', 'null', 'an object'],
    why: "V8's error quotes the place in the program's source",
  },
  {
    area: 'control',
    script: 'traps',
    labels: ['frames'],
    why: 'a function that the compiler put into its caller is no frame',
  },
];

/** Errors differ in their words only. */
const isAsKnown = (unlike: Unlike): boolean =>
  isOfWords(unlike) || !(unlike.v8.startsWith('throws') || unlike.found.startsWith('throws'));

const names = ({ script, labels }: Known, unlike: Unlike): boolean =>
  unlike.script === script && labels.includes(unlike.label);

/** The differences that nothing explains, and the explanations that no difference needs. */
export function unexplained(area: string, unlike: Unlike[]): { unlike: Unlike[]; needless: Known[] } {
  const ofArea = known.filter((one) => one.area === area);
  return {
    unlike: unlike.filter((one) => !(isAsKnown(one) && ofArea.some((line) => names(line, one)))),
    needless: ofArea.filter((line) => !unlike.some((one) => names(line, one))),
  };
}

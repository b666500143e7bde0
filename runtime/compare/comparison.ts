// What a comparison answers, whatever it is of.
import type { Backing } from '../../loader/backing.ts';
import type { Totals } from '../../loader/evidence.ts';
import type { Format } from '../../loader/format.ts';
import type { Sample, WayName } from './request.ts';

export interface CompareOptions {
  /** Samples a way. Default 20. */
  runs?: number;
  /**
   * Library: the call that ends the measurement, made through koffi. Without it the first byte of text is touched.
   * WebAssembly: the export, by its name, and its arguments. Without it the measurement ends with the instance.
   */
  call?: { prototype: string; args: string[] };
  /** Drop the file from the page cache before each sample. */
  cold?: boolean;
  /** Arguments of a program. */
  args?: string[];
  /** WebAssembly: a JavaScript module whose default export is the imports object. */
  imports?: string;
  onProgress?: (done: number, total: number) => void;
}

/** Medians of the samples, in what they share with a Sample. */
export interface Way extends Omit<Sample, 'ns' | 'ending' | 'evidence'> {
  name: WayName;
  /**
   * Where its pages were in the end: of a library and an image with all of their text touched, of a program what it
   * touched itself. Null where that is not looked at.
   */
  evidence: Totals | null;
  /** The load of this file after one other small file was loaded the same way, in a process of its own. */
  medianNs: number;
  minNs: number;
  p90Ns: number;
  /** The same as the very first load of a process. */
  firstMedianNs: number;
}

export interface Comparison {
  file: string;
  format: Format;
  /** Of what is mapped in place: the file, or the image of a WebAssembly module. */
  backing: Backing;
  runs: number;
  temperature: 'warm' | 'cold';
  ways: Way[];
  ratios: { name: string; value: number }[];
  notes: string[];
}

export const ratio = (name: string, value: number) => ({ name, value: Math.round(value * 1000) / 1000 });

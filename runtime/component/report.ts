// What is to be said of a component when it has ended, in the shape of other programs' reports.
import { sense } from '../../loader/backing.ts';
import type { Evidence, FileEvidence } from '../../loader/evidence.ts';
import type { ModuleReport } from '../library/module-report.ts';
import type { RunReport } from '../program/supervise.ts';
import { type Ended, noImage, privateBytes } from '../wasi/report.ts';
import type { LoadedComponent } from './index.ts';

/** Backing, segments and the first evidence are those of its largest image. To be taken before the process ends. */
export function reportOfComponent(component: LoadedComponent, ended: Ended): RunReport {
  const { component: file, place, phases, bytesInPlace, bytesCopied, modules } = component.report;
  const { exitCode, elapsedNs, faults } = ended;
  const images = modules
    .flatMap(({ report }) => report ?? [])
    .sort((a, b) => b.bytesInPlace + b.bytesCopied - (a.bytesInPlace + a.bytesCopied));
  const [main] = images;
  const linkNs = phases.find(({ name }) => name === 'instantiate')?.ns ?? 0;
  return {
    ...{ file, format: 'wasm-component', kind: null, place, exitCode, signal: null, faults },
    way: main === undefined ? 'v8' : 'image',
    why: `${images.length} of ${modules.length} core modules have images`,
    backing: main?.backing ?? sense(file),
    segments: main?.segments ?? [],
    phases: [...phases, { name: 'run', ns: elapsedNs - linkNs }],
    bytesInPlace,
    bytesCopied,
    privateBytes: privateBytes(),
    hugePages: main?.hugePages ?? null,
    evidence: main === undefined ? noImage : evidenceOf(main, images),
  };
}

function evidenceOf(main: ModuleReport, images: readonly ModuleReport[]): Evidence {
  const files = images.map(({ file, backing, evidence }): FileEvidence => {
    const { ranges, totals } = evidence;
    return { path: file, medium: backing.medium, ranges, totals };
  });
  return { ...main.evidence, files };
}

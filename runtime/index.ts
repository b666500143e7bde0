export { type Backing, type Medium, sense } from '../loader/backing.ts';
export { LoadError, type LoadErrorCode } from '../loader/error.ts';
export type { Evidence, RangeEvidence } from '../loader/evidence.ts';
export type { Format, ProgramKind } from '../loader/format.ts';
export type { LoadOptions } from '../loader/index.ts';
export * as nvm from '../loader/nvm.ts';
export type { Placement, PlanSegment } from '../loader/plan.ts';
export type { Faults, Phase, Report } from '../loader/report.ts';
export { Library, load, loadSync, type NativeFunction } from './library/index.ts';

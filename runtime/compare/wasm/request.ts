import type { FunctionType, GlobalType, Limits, TableType } from '../../../loader/compile/module.ts';
import type { Namespace } from '../../wasm/v8.ts';
import type { WayName } from '../request.ts';

/** An import of the module, with what has to stand in for it. */
export type Wanted = { module: string; name: string } & (
  | { kind: 'function' }
  | { kind: 'memory'; type: Limits }
  | { kind: 'table'; type: TableType }
  | { kind: 'global'; type: GlobalType }
  | { kind: 'tag'; type: FunctionType }
);

export type NumberType = 'i32' | 'i64' | 'f32' | 'f64';

export interface CallRequest {
  name: string;
  args: { type: NumberType; text: string }[];
  results: number;
}

/** What a sample process is to do with a WebAssembly module. */
export interface ModuleRequest {
  file: string;
  way: WayName;
  /** Load one other small module the same way first. */
  warm: boolean;
  small: SmallModule;
  imports: Wanted[];
  /** A JavaScript module whose default export is the imports object. */
  importsFrom?: string;
  call?: CallRequest;
  /** Of the image: what is touched before it is looked where its pages are. */
  text: { vaddr: number; length: number };
  evidence?: boolean;
}

/** The other small module has what most have: an import and exports, a memory with data, a table, a global. */
export interface SmallModule {
  file: string;
  /** The store that has its image. */
  root: string;
}

/** What the small module imports and exports, and what that returns. */
export const SMALL = { name: 'small', import: 'twice', memory: 'memory', result: 42 } as const;

export const smallCall: CallRequest = { name: SMALL.name, args: [], results: 1 };

/** What it imports, or more than that. */
export const smallImports = ({ Memory }: Namespace): Record<string, Record<string, unknown>> => ({
  [SMALL.name]: {
    [SMALL.import]: (value: number) => 2 * value,
    [SMALL.memory]: new Memory({ initial: 1 }),
  },
});

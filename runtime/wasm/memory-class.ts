// WebAssembly.Memory (JS API 5.4): its objects are V8's own, of V8's own prototype. Only their limits are remembered,
// because V8 does not tell them.
import { rememberLimits } from './memory-limits.ts';
import { mirrorOver } from './mirror.ts';
import type * as V8Type from './v8.ts';
import { V8 } from './v8.ts';

const v8 = V8.Memory as unknown as ((...args: unknown[]) => object) & { prototype: object };

// A declaration, because V8 names it in its errors.
function Memory(...args: unknown[]): object {
  if (new.target === undefined) return v8(...args);
  isMade();
  const memory = Reflect.construct(v8, args, new.target) as V8Type.Memory;
  rememberLimits(memory, args[0]);
  return memory;
}

const isMade = mirrorOver(Memory, v8);

const asClass = Memory as unknown as V8Type.Namespace['Memory'];

export { asClass as Memory };

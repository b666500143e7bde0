// What stands in WebAssembly's properties under the hook, from the first that is asked for on.
import { imageOfBytes } from '../../loader/images/find.ts';
import { madeOnce } from '../../loader/once.ts';
import { moduleFile, requireHere } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import type { AttachedApp } from '../bundle/attach.ts';
import * as faces from '../wasm/faces.ts';
import { engineNow, theEngine } from '../wasm/late.ts';
import { mirror } from '../wasm/mirror.ts';
import { moduleIsMade } from '../wasm/module-class.ts';
import { setPolicy, why } from '../wasm/policy.ts';
import { V8 } from '../wasm/v8.ts';

const { INSITU } = startEnvironment;

/**
 * Bytes of a module that V8 compiles in less time than loading the engine takes, 3 to 5 ms (`npm run bench:hook`). The V8 of
 * Node 20 takes 15 to 20 ms for what later ones take 1 to 3.
 */
const SOONER_DONE = (Number(process.versions.node.split('.')[0]) < 22 ? 16 : 128) << 10;
const SMALL = INSITU === 'always' || INSITU === 'copy' ? 0 : SOONER_DONE;
const isLeft = (bytes: Uint8Array): boolean => bytes.length < SMALL && engineNow() === undefined;

function unknown(bytes: Uint8Array): string {
  if (isLeft(bytes)) return `smaller than ${SMALL} bytes, and nothing else is in place: V8 is sooner done`;
  if (INSITU !== 'learn' && INSITU !== 'collect') return 'no image in a store';
  return (requireHere(moduleFile('runtime/hook/learn')) as typeof import('./learn.ts')).learn(bytes);
}

/** The app that is run from a region. */
const app = madeOnce<AttachedApp>('bundle');

setPolicy({
  place: INSITU === 'copy' ? 'copy' : 'in-place',
  find: (bytes) => (isLeft(bytes) ? undefined : (app?.imageOf(bytes) ?? imageOfBytes(bytes))),
  unknown,
});

moduleIsMade(); // those that other threads post, too

const cheap = mirror({}, V8, { ...faces }) as Record<string, unknown>;

/** Tables and globals of compiled code are not V8's, so these two want the engine; without it there is no compiled code. */
function ofEngine(name: 'Table' | 'Global'): unknown {
  try {
    const { Table, Global } = theEngine();
    return (mirror({}, V8, { Table, Global }) as Record<string, unknown>)[name];
  } catch (error) {
    why.compiled(null, (error as Error).message, 0);
    return V8[name];
  }
}

export const memberOf = (name: string): unknown =>
  name === 'Table' || name === 'Global' ? ofEngine(name) : cheap[name];

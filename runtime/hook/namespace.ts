// What stands in WebAssembly's properties under the hook, from the first that is asked for on.
import { moduleFile, requireHere } from '../../loader/root.ts';
import { startEnvironment } from '../../loader/start-environment.ts';
import * as faces from '../wasm/faces.ts';
import { theEngine } from '../wasm/late.ts';
import { mirror } from '../wasm/mirror.ts';
import { moduleIsMade } from '../wasm/module-class.ts';
import { setPolicy, why } from '../wasm/policy.ts';
import { V8 } from '../wasm/v8.ts';

const { INSITU } = startEnvironment;
if (INSITU === 'copy') setPolicy({ place: 'copy' });
if (INSITU === 'learn' || INSITU === 'collect')
  setPolicy({
    unknown: (bytes) =>
      (requireHere(moduleFile('runtime/hook/learn')) as typeof import('./learn.ts')).learn(bytes),
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

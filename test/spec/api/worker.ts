// The other thread of the scripts in threads.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { namespaceOf } from '../engine.ts';
import type { Way } from '../ways.ts';
import { compiledOf, type PreparedModule } from './compiled.ts';
import { type Loose, show } from './trial.ts';

export interface WorkerData {
  task: string;
  data: unknown;
  way: Way;
  modules: PreparedModule[];
}

const { task, data, way, modules } = workerData as WorkerData;
const W = (await namespaceOf(way, compiledOf(modules))) as unknown as Loose;
const { module, memory } = data as { module: Loose; memory: Loose };

const tasks: Record<string, () => unknown> = {
  call: () => new W.Instance(module).exports.f(),
  kind: () => [(module as object) instanceof W.Module, Object.prototype.toString.call(module)],
  exports: () => W.Module.exports(module),
  trap: () => new W.Instance(module).exports.g(),
  exhaustion: () => new W.Instance(module).exports.h(),
  'a trap, then a call': () => {
    const { exports } = new W.Instance(module);
    try {
      exports.g();
    } catch {
      return exports.f();
    }
    return 'no trap';
  },
  add: () => {
    const { exports } = new W.Instance(module, { m: { memory } });
    return exports.add(1000);
  },
  grow: () => {
    const { exports } = new W.Instance(module, { m: { memory } });
    return [exports.grow(1), memory.buffer.byteLength];
  },
};

function answer(): string {
  try {
    return show(tasks[task]?.(), W);
  } catch (error) {
    return `throws ${show(error, W)}`;
  }
}

parentPort?.postMessage(answer());

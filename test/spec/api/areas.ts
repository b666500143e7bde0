import { control } from './control.ts';
import { functions } from './functions.ts';
import { imports } from './imports.ts';
import { lifetime } from './lifetime.ts';
import { objects } from './objects.ts';
import { promises } from './promises.ts';
import { shape } from './shape.ts';
import { threads } from './threads.ts';
import type { Area } from './trial.ts';

export const areas: Area[] = [shape, functions, imports, objects, promises, control, lifetime, threads];

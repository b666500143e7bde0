// What bodies tell of themselves, beyond their text: to the rest of the module, and to the units that hold them.

/** What is known of a module only after its bodies were read once: emission is repeated when it changes. */
export interface Facts {
  /** Some function throws, catches or rethrows: calls are followed by a look at runtime->thrown. */
  exceptions: boolean;
  /** Functions with a return_call of what may do so again: c<N> is then a loop around n<N>. */
  tailCallers: Set<number>;
  /** Functions with a rethrow: exceptions that they caught are kept. */
  rethrowers: Set<number>;
}

export interface EmittedFunction {
  text: string;
  /** Functions that it calls or refers to. */
  functions: Set<number>;
  /** Type indices whose enter thunk it uses. */
  enters: Set<number>;
  usesVectors: boolean;
}

/** What a pointer to function `index` points to (abi.h), as C names; units.ts makes them. `tail` is null without one. */
export function pointerNames(index: number, facts: Facts): { code: string; tail: string | null } {
  const code = facts.exceptions ? `x${index}` : `c${index}`;
  if (!facts.tailCallers.has(index)) return { code, tail: null };
  return { code, tail: facts.exceptions ? `o${index}` : `n${index}` };
}

// [EnforceRange] unsigned long (Web IDL 3.2.4.9), with the texts of V8.

/** @throws TypeError for what is no integer in 0 to 2^32 - 1 */
export function toIndex(value: unknown, what: string, max = 2 ** 32 - 1): number {
  const number = Number(value as number);
  if (!Number.isFinite(number)) throw new TypeError(`${what} must be convertible to a valid number`);
  const integer = Math.trunc(number);
  if (integer < 0) throw new TypeError(`${what} must be non-negative`);
  if (integer > max) throw new TypeError(`${what} must be in the unsigned long range`);
  return integer + 0;
}

/** An optional member of a descriptor. @throws TypeError */
export function indexOption(
  descriptor: object,
  name: string,
  what: string,
  min: number,
  max: number,
): number | undefined {
  const value = (descriptor as Record<string, unknown>)[name];
  if (value === undefined) return undefined;
  const place = `${what}: Property '${name}'`;
  const number = toIndex(value, `${place}: value ${String(value)} is`.replace(/ is$/, ''));
  if (number < min) throw new TypeError(`${place}: value ${number} is below the lower bound`);
  if (number > max) throw new TypeError(`${place}: value ${number} is above the upper bound`);
  return number;
}

// A bar is a figure that is wanted. Meeting it is reported, not asserted: the machine may be busy.
const told: string[] = [];

export function bar(name: string, value: number, relation: '<=' | '>=', limit: number): void {
  const met = relation === '<=' ? value <= limit : value >= limit;
  const digits = Math.abs(value) < 10 ? 2 : 0;
  told.push(`${met ? 'met    ' : 'NOT MET'}  ${name}: ${value.toFixed(digits)} (want ${relation} ${limit})`);
}

export const bars = (): readonly string[] => told;

// A test of the host's side: done, printed and counted once.

export interface Check {
  name: string;
  ok: boolean;
  /** What was measured, or what went wrong. */
  detail: string;
}

export const textOf = ({ name, ok, detail }: Check): string =>
  `${ok ? ' ok ' : 'FAIL'} ${name}${detail && `\n${detail.replace(/^/gm, '       ')}`}`;

export function print(checks: readonly Check[]): void {
  for (const check of checks) console.log(textOf(check));
}

// A test of the host's side: done, printed and counted once.

export interface Check {
  name: string;
  ok: boolean;
  /** What was measured, or what went wrong. */
  detail: string;
}

export function print(checks: readonly Check[]): void {
  for (const { name, ok, detail } of checks) {
    console.log(`${ok ? ' ok ' : 'FAIL'} ${name}`);
    if (detail) console.log(detail.replace(/^/gm, '       '));
  }
}

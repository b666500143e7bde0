// Work that tidies up when it is interrupted, and then ends as if nobody had listened.

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `work`; a signal to end aborts it, and the process dies of that signal once `work` has ended.
 * @throws what `work` throws, unless it was interrupted
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let by: NodeJS.Signals | undefined;
  const listen = (signal: NodeJS.Signals) => {
    by ??= signal;
    controller.abort(new Error(`interrupted by ${signal}`));
  };
  for (const signal of SIGNALS) process.on(signal, listen);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, listen);
    if (by !== undefined) process.kill(process.pid, by);
  }
}

// The environment as the thread was started: programs change theirs, and empty it (esbuild's script does), before they
// come to what is read of it here.
import { once } from './once.ts';

function capture() {
  const { INSITU, INSITU_STORE, INSITU_REPORT, INSITU_ACCELERATOR } = process.env;
  const { HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME } = process.env;
  return {
    ...{ INSITU, INSITU_STORE, INSITU_REPORT, INSITU_ACCELERATOR, HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME },
    /** All of it, for processes that are started on the program's behalf, where there will be such. */
    whole: INSITU === 'learn' ? { ...process.env } : undefined,
  };
}

export const startEnvironment = once('environment', capture);

// The environment as the thread was started: programs change theirs, and empty it (esbuild's script does), before they
// come to what is read of it here.
import { once } from './once.ts';

/** The program may go elsewhere before it is used. */
function absolute(path: string | undefined): string | undefined {
  return !path || path.startsWith('/') ? path : `${process.cwd()}/${path}`;
}

function capture() {
  const { INSITU, INSITU_ACCELERATOR, INSITU_BUNDLE } = process.env;
  const [INSITU_STORE, INSITU_REPORT] = [process.env.INSITU_STORE, process.env.INSITU_REPORT].map(absolute);
  const { HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME } = process.env;
  return {
    ...{
      INSITU,
      INSITU_BUNDLE,
      INSITU_STORE,
      INSITU_REPORT,
      INSITU_ACCELERATOR,
      HOME,
      XDG_CONFIG_HOME,
      XDG_CACHE_HOME,
    },
    /** All of it, for processes that are started on the program's behalf, where there will be such. */
    whole: INSITU === 'learn' ? { ...process.env } : undefined,
  };
}

export const startEnvironment = once('environment', capture);

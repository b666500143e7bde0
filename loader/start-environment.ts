// The environment as the process was started: programs change theirs, and empty it (esbuild's script does), before they
// come to what is read of it here.
const { INSITU, INSITU_STORE, INSITU_REPORT, INSITU_ACCELERATOR } = process.env;
const { HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME } = process.env;

export const startEnvironment = {
  INSITU,
  INSITU_STORE,
  INSITU_REPORT,
  INSITU_ACCELERATOR,
  HOME,
  XDG_CONFIG_HOME,
  XDG_CACHE_HOME,
} as const;

/** Kept for processes that are started on the program's behalf, where there will be such. */
export const wholeEnvironment: NodeJS.ProcessEnv | undefined =
  INSITU === 'learn' ? { ...process.env } : undefined;

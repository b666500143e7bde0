// Preloaded in both ways that are compared: what a process has used when it ends, a line in the file that is named.
const { appendFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const { INSITU_BENCH_PROBE: file } = process.env;
if (isMainThread && file)
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    appendFileSync(
      file,
      `${JSON.stringify({ cpuMs: (userCPUTime + systemCPUTime) / 1000, maxMiB: maxRSS / 1024 })}\n`,
    );
  });

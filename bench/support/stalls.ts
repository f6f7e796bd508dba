import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How often the loop is looked at, in milliseconds: a stall is told longer by up to this, and none shorter. */
const RESOLUTION_MS = 5;

/** Watches this process's event loop. Returns its longest stall since the last call, in milliseconds. */
export function watchStalls(): () => number {
  const stall = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  stall.enable();
  return () => {
    const longestStallMs = Math.round(stall.max / 1e6);
    stall.reset();
    return longestStallMs;
  };
}

/** Answers each message of the bench with the longest stall since the last one. A process that lost its bench ends. */
export function answerStalls(): void {
  const longestStallMs = watchStalls();
  process.on('message', () => process.send?.({ longestStallMs: longestStallMs() }));
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}

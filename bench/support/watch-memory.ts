import { setTimeout as delay } from 'node:timers/promises';
import { descendantsOf, openDescriptorsOf, proportionalMbOf } from './proc.ts';
import { memoryOf } from './processes.ts';

const SAMPLE_MS = 1_000;

/**
 * Watches a process and those that it started, which for a gateway are those of its PostgreSQL. Memory is in MB:
 * before, after `waitingAfterMs`, and at its highest.
 */
export function watchMemory(pid: number, waitingAfterMs: number) {
  const stopping = new AbortController();
  const idleMb = memoryOf(pid, 'VmRSS');
  let waitingMb = 0;
  const waiting = setTimeout(() => {
    waitingMb = memoryOf(pid, 'VmRSS');
  }, waitingAfterMs);
  let postgresPeakMb = 0;
  let openFilesPeak = 0;

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      postgresPeakMb = Math.max(postgresPeakMb, proportionalMbOf(descendantsOf(pid)));
      openFilesPeak = Math.max(openFilesPeak, openDescriptorsOf(pid));
      await delay(SAMPLE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }
  const watching = watch();

  return async function stop() {
    stopping.abort();
    clearTimeout(waiting);
    await watching;
    return { idleMb, waitingMb, peakMb: memoryOf(pid, 'VmHWM'), postgresPeakMb, openFilesPeak };
  };
}

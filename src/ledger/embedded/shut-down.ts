import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayUnavailableError } from '../../errors.ts';
import type { Binaries } from './binaries.ts';
import type { EmbeddedPostgresLog } from './log.ts';
import { systemErrorCode } from './system-error.ts';

/** PostgreSQL's ways to stop, the gentlest first, and how long each may take. */
const STEPS = [
  // A pool that was just ended may not have said goodbye yet, and would report being cut off.
  { signal: 'SIGTERM', boundMs: 250, means: 'smart: waits for those who are leaving' },
  { signal: 'SIGINT', boundMs: 10_000, means: 'fast: open transactions roll back, all is written' },
  { signal: 'SIGQUIT', boundMs: 5_000, means: 'immediate: recovers from its log at the next start' },
  { signal: 'SIGKILL', boundMs: 5_000, means: 'killed' },
] as const;

/**
 * Stops a server, less gently where that takes too long. Nothing that was committed is lost by any
 * of the steps.
 *
 * @param options.hasExited whether the process is gone; asked every few milliseconds.
 * @throws {GatewayUnavailableError} when it can't be stopped.
 */
export async function shutDown({
  pid,
  binaries,
  hasExited,
  log,
}: {
  pid: number;
  binaries: Binaries;
  hasExited: () => boolean | Promise<boolean>;
  log: EmbeddedPostgresLog;
}): Promise<void> {
  for (const { signal, boundMs, means } of STEPS) {
    if (await hasExited()) return;
    if (signal === 'SIGQUIT' || signal === 'SIGKILL') {
      log.warn({ serverPid: pid, signal }, `PostgreSQL does not stop; next step: ${means}`);
    }
    await send(signal, pid, binaries);
    const giveUpAt = performance.now() + boundMs;
    while (performance.now() < giveUpAt) {
      if (await hasExited()) return;
      await sleep(5);
    }
  }
  throw new GatewayUnavailableError(`PostgreSQL (pid ${pid}) can't be stopped.`);
}

type Signal = (typeof STEPS)[number]['signal'];

async function send(signal: Signal, pid: number, binaries: Binaries): Promise<void> {
  if (process.platform !== 'win32' || signal === 'SIGKILL') {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It ended by itself.
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
    return;
  }
  // Windows knows no signals; PostgreSQL brings its own.
  const control = spawn(binaries.pgCtl, ['kill', signal.slice('SIG'.length), String(pid)], {
    stdio: 'ignore',
  });
  await once(control, 'exit');
}

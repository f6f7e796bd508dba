import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedPostgresLog } from './log.ts';
import type { ServerProcess } from './server-process.ts';
import { errorMessage } from './system-error.ts';

export interface Supervision {
  /** Stops the server, for good. */
  stop(): Promise<void>;
}

/**
 * Starts the server again whenever it ends by itself, until `stop`. The wait before a start doubles with each
 * one that failed or did not last, and falls back after a server that lasted.
 *
 * @param options.restart starts it where it was before, so that a connection pool finds it.
 * @param options.shortestWaitMs @default 100
 * @param options.longestWaitMs @default 5000
 * @param options.lastingMs how long a server has to run to count as sound. @default 60000
 */
export function superviseServer({
  server,
  restart,
  log,
  shortestWaitMs = 100,
  longestWaitMs = 5_000,
  lastingMs = 60_000,
  now = () => performance.now(),
}: {
  server: ServerProcess;
  restart: () => Promise<ServerProcess>;
  log: EmbeddedPostgresLog;
  shortestWaitMs?: number;
  longestWaitMs?: number;
  lastingMs?: number;
  now?: () => number;
}): Supervision {
  const stopping = new AbortController();
  let current: ServerProcess | undefined = server;

  async function keepRunning(): Promise<void> {
    let waitMs = shortestWaitMs;
    let startedAt = now();
    while (!stopping.signal.aborted) {
      if (current !== undefined) {
        await current.exited;
        if (stopping.signal.aborted) return;
        if (now() - startedAt >= lastingMs) waitMs = shortestWaitMs;
        log.warn(
          { serverPid: current.pid, waitMs },
          'the embedded PostgreSQL ended by itself; starting it again',
        );
        current = undefined;
      }
      await wait(waitMs);
      if (stopping.signal.aborted) return;
      waitMs = Math.min(waitMs * 2, longestWaitMs);
      try {
        current = await restart();
        startedAt = now();
      } catch (error) {
        log.warn({ error: errorMessage(error), waitMs }, 'the embedded PostgreSQL did not start again');
      }
    }
  }

  /** Cut short by `stop`. */
  const wait = (milliseconds: number): Promise<void> =>
    sleep(milliseconds, undefined, { signal: stopping.signal }).catch((error: unknown) => {
      if (!stopping.signal.aborted) throw error;
    });

  const running = keepRunning();
  return {
    async stop() {
      stopping.abort();
      // A start that is under way has to end first, or nobody would stop what it started.
      if (current === undefined) await running;
      await current?.stop();
      await running;
    },
  };
}

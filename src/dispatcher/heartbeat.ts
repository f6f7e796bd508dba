import type { Clock } from '../clock.ts';
import type { Job, Queue } from '../ledger/queue.ts';

export interface HeartbeatOptions {
  readonly queue: Queue;
  readonly jobs: () => readonly Job[];
  /** A job whose heartbeat is older than this is given to another replica. */
  readonly heartbeatSeconds: number;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** How often lost jobs are looked for, in milliseconds. */
const SUPERVISE_MS = 2_000;

/**
 * Tells the queue which jobs are alive here, and gives back those of replicas that died.
 *
 * After an outage of the database every heartbeat is stale, the healthy ones too, and a sweep would buy
 * everything again. So nothing is swept until the database has answered for one whole heartbeat.
 */
export function startHeartbeat({ queue, jobs, heartbeatSeconds, clock, onError }: HeartbeatOptions) {
  const heartbeatMs = heartbeatSeconds * 1_000;
  const stopping = new AbortController();
  let answeringSince: number | undefined;

  async function every(periodMs: number, beat: () => Promise<void>): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await beat();
      } catch (error) {
        answeringSince = undefined;
        onError(error);
      }
      await clock.sleep(periodMs, stopping.signal).catch(() => undefined);
    }
  }

  const touching = every(heartbeatMs / 4, async () => {
    await queue.touch(jobs());
    answeringSince ??= performance.now();
  });
  const supervising = every(SUPERVISE_MS, async () => {
    if (answeringSince === undefined || performance.now() - answeringSince < heartbeatMs) return;
    await queue.supervise();
  });

  return {
    /** The connection to the database was lost: heartbeats may be stale through no fault of their jobs. */
    pause(): void {
      answeringSince = undefined;
    },
    async stop(): Promise<void> {
      stopping.abort();
      await Promise.all([touching, supervising]);
    },
  };
}

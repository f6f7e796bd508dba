import type { Clock } from '../clock.ts';
import type { Queue } from '../ledger/queue.ts';
import type { Job } from '../ledger/run.ts';

export interface HeartbeatOptions {
  readonly queue: Queue;
  readonly jobs: () => readonly Job[];
  /** A job whose heartbeat is older than this is given to another replica. */
  readonly heartbeatSeconds: number;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** How often the jobs of this replica are touched, and lost ones are looked for, in milliseconds. */
const BEAT_MS = 2_000;

/**
 * Tells the queue which jobs are alive here, and gives back those of replicas that died.
 *
 * After an outage of the database every heartbeat is stale, the healthy ones too, and a sweep would buy
 * everything again. So nothing is swept until the database has answered for one whole heartbeat, nor until then
 * after this process itself has stood still, and never before its own jobs are touched.
 */
export function startHeartbeat({ queue, jobs, heartbeatSeconds, clock, onError }: HeartbeatOptions) {
  const heartbeatMs = heartbeatSeconds * 1_000;
  const stopping = new AbortController();
  let answeringSince: number | undefined;
  let lastBeatAt = performance.now();

  async function beat(): Promise<void> {
    if (performance.now() - lastBeatAt > heartbeatMs) answeringSince = undefined;
    lastBeatAt = performance.now();
    await queue.touch(jobs());
    answeringSince ??= performance.now();
    if (performance.now() - answeringSince >= heartbeatMs) await queue.supervise();
  }

  async function beatOn(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await beat();
      } catch (error) {
        answeringSince = undefined;
        onError(error);
      }
      await clock.sleep(BEAT_MS, stopping.signal).catch(() => undefined);
    }
  }
  const beating = beatOn();

  return {
    /** The connection to the database was lost: heartbeats may be stale through no fault of their jobs. */
    pause(): void {
      answeringSince = undefined;
    },
    async stop(): Promise<void> {
      stopping.abort();
      await beating;
    },
  };
}

import type pg from 'pg';
import { fromKysely } from 'pg-boss';
import { openBoss } from './boss.ts';
import type { DatabaseTransaction } from './database.ts';
import type { Job } from './run.ts';

export interface QueueOptions {
  readonly pool: pg.Pool;
  /** A job whose heartbeat is older goes back to the queue, in seconds; at least 10. */
  readonly heartbeatSeconds: number;
  /** How long a job may run at all, in seconds; above the deadline of a generation. */
  readonly expireInSeconds: number;
  readonly onError: (error: unknown) => void;
}

const QUEUE = 'generations';
/** Which retry of the *upstream* is allowed is the ledger's business; the queue itself never gives up on a job. */
const RETRY_LIMIT = 1_000_000;
/** pg-boss drops a job that waited longer than this; a generation that was accepted is never dropped by age. */
const UNCLAIMED_RETENTION_SECONDS = 365 * 24 * 3600;

/** The durable queue: pg-boss in the ledger's own database, so that a claim and its job commit together. */
export async function openQueue(options: QueueOptions) {
  const { pool, heartbeatSeconds, expireInSeconds, onError } = options;
  const settings = {
    heartbeatSeconds,
    expireInSeconds,
    retryLimit: RETRY_LIMIT,
    retryDelay: 0,
    deleteAfterSeconds: 3600,
    retentionSeconds: UNCLAIMED_RETENTION_SECONDS,
  };
  const boss = await openBoss({ pool, onError }, async (boss) => {
    await boss.createQueue(QUEUE, settings);
    await boss.updateQueue(QUEUE, settings);
  });

  const inTransaction = (transaction: DatabaseTransaction) => ({ db: fromKysely(transaction) });

  return {
    /** Adds a job per generation, in the transaction that claims them. */
    async enqueue(
      transaction: DatabaseTransaction,
      jobs: readonly { generationId: string; clientId: string }[],
    ): Promise<void> {
      if (jobs.length === 0) return;
      await boss.insert(
        QUEUE,
        jobs.map((job) => ({ id: job.generationId, group: { id: job.clientId } })),
        inTransaction(transaction),
      );
    },

    /** Takes up to `limit` jobs for this replica. */
    async fetch(limit: number): Promise<Job[]> {
      const jobs = await boss.fetch(QUEUE, { batchSize: limit, ignoreGroups: null });
      return jobs.map((job) => ({ id: job.id, retryCount: job.retryCount }));
    },

    /** Ends jobs for good, in the transaction that ends their generations. */
    async complete(transaction: DatabaseTransaction, jobs: readonly Job[]): Promise<void> {
      if (jobs.length > 0) await boss.complete(QUEUE, [...jobs], null, inTransaction(transaction));
    },

    /** Gives jobs back, so that any replica may take them at once. */
    async release(jobs: readonly Job[]): Promise<void> {
      if (jobs.length > 0) await boss.fail(QUEUE, [...jobs], null);
    },

    /** Tells the queue that these jobs are still being worked on. Without jobs too it asks the database. */
    async touch(jobs: readonly Job[]): Promise<void> {
      // That the database answers is half of what the caller wants to know.
      if (jobs.length === 0) await pool.query('select 1');
      else await boss.touch(QUEUE, [...jobs]);
    },

    /** Gives back the jobs whose heartbeat stopped, and removes old ones. */
    async supervise(): Promise<void> {
      await boss.supervise(QUEUE);
    },

    /**
     * Gives back every job that is being worked on. Only for a gateway that knows that no other is running: the
     * jobs are those of its own earlier life.
     */
    async releaseAll(): Promise<void> {
      const { rows } = await pool.query<Job>(
        `select id, retry_count as "retryCount" from gesso_queue.job where name = $1 and state = 'active'`,
        [QUEUE],
      );
      if (rows.length > 0) await boss.fail(QUEUE, rows, null);
    },

    async close(): Promise<void> {
      await boss.stop({ graceful: false });
    },
  };
}

export type Queue = Awaited<ReturnType<typeof openQueue>>;

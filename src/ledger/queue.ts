import { sql } from 'kysely';
import type pg from 'pg';
import { fromKysely, type PgBoss } from 'pg-boss';
import { ConfigError } from '../errors.ts';
import { oneAtATime, openBoss, QUEUE_SCHEMA } from './boss.ts';
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

/** Which retry of the *upstream* is allowed is the ledger's business; the queue itself never gives up on a job. */
const RETRY_LIMIT = 1_000_000;
/** pg-boss drops a job that waited longer than this; a generation that was accepted is never dropped by age. */
const UNCLAIMED_RETENTION_SECONDS = 365 * 24 * 3600;

/** What the names of all queues of generations begin with. */
export const QUEUE_PREFIX = 'generations.';
const JOBS = sql.raw(`${QUEUE_SCHEMA}.job`);
const queueOf = (provider: string): string => `${QUEUE_PREFIX}${provider}`;
/** The one queue that a development version had for all providers. */
const FORMER_QUEUE = 'generations';
/** After so long without a heartbeat whoever worked there is gone. */
const FORMER_HEARTBEAT_SECONDS = 20;

/**
 * The durable queue: pg-boss in the ledger's own database, so that a claim and its job commit together.
 *
 * Each provider has a queue of its own. A replica takes only jobs of providers that it has, and a provider that may take
 * no more holds up no other.
 */
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
  const boss = await openBoss({ pool, onError }, (boss) => moveFormerJobs(boss, pool, install));

  async function install(boss: PgBoss, provider: string): Promise<void> {
    await boss.createQueue(queueOf(provider), settings);
    await boss.updateQueue(queueOf(provider), settings);
  }

  const inTransaction = (transaction: DatabaseTransaction) => ({ db: fromKysely(transaction) });

  async function release(jobs: readonly Job[]): Promise<void> {
    for (const [queue, group] of byQueue(jobs)) await boss.fail(queue, group, null);
  }

  const served = new Set<string>();

  return {
    /** For the queues of other work in the same database. */
    boss,

    /** The providers whose jobs are taken here. */
    served: served as ReadonlySet<string>,

    /** Makes the queues of these providers, before anything is put there or fetched. */
    async serve(providers: Iterable<string>): Promise<void> {
      await oneAtATime(pool, async () => {
        for (const provider of providers) {
          await install(boss, provider);
          served.add(provider);
        }
      });
    },

    /** Adds a job per generation, in the transaction that claims them. */
    async enqueue(
      transaction: DatabaseTransaction,
      jobs: readonly { generationId: string; clientId: string; provider: string }[],
    ): Promise<void> {
      for (const [queue, group] of byQueue(jobs)) {
        await boss.insert(
          queue,
          group.map((job) => ({ id: job.generationId, group: { id: job.clientId } })),
          inTransaction(transaction),
        );
      }
    },

    /** Takes up to `limit` jobs of the provider for this replica, those first that have waited longest. */
    async fetch(provider: string, limit: number): Promise<Job[]> {
      const jobs = await boss.fetch(queueOf(provider), { batchSize: limit, ignoreGroups: null });
      return jobs.map(({ id, retryCount, groupId }) => ({
        id,
        retryCount,
        provider,
        clientId: groupId ?? '',
      }));
    },

    /** Ends jobs for good, in the transaction that ends their generations. */
    async complete(transaction: DatabaseTransaction, jobs: readonly Job[]): Promise<void> {
      for (const [queue, group] of byQueue(jobs)) {
        await boss.complete(queue, group, null, inTransaction(transaction));
      }
    },

    /**
     * Removes the jobs of generations, whoever has them, in the transaction that cancels these. By id is right here: the
     * row of the generation has decided, and fences whoever runs it.
     */
    async cancel(
      transaction: DatabaseTransaction,
      generations: readonly { id: string; provider: string }[],
    ): Promise<void> {
      for (const [queue, group] of byQueue(generations)) {
        await boss.cancel(
          queue,
          group.map(({ id }) => id),
          inTransaction(transaction),
        );
      }
    },

    /**
     * Puts the jobs of generations into the queues of other providers, whoever has them, in the transaction that sends the
     * generations there. By id is right here too. Resolves with the highest claim on each that was ever handed out; the
     * next one is higher.
     * @throws {Error} when a job is not there for a moment, because it is just being given back.
     */
    async move(
      transaction: DatabaseTransaction,
      moves: readonly { id: string; from: string; to: string }[],
    ): Promise<Map<string, number>> {
      const input = moves.map(({ id, from, to }) => ({ id, former: queueOf(from), name: queueOf(to) }));
      const { rows } = await sql<{ id: string; claim: number }>`
        update ${JOBS} j
        set name = i.name, state = 'created', retry_count = j.retry_count + 1, started_on = null, heartbeat_on = null
        from json_to_recordset(${JSON.stringify(input)}::json) as i (id uuid, former text, name text)
        where j.name = i.former and j.id = i.id and j.state < 'completed'
        returning j.id, j.retry_count - 1 as claim`.execute(transaction);
      if (rows.length < moves.length) throw new Error('The job of a generation was just being given back.');
      return new Map(rows.map(({ id, claim }) => [id, claim]));
    },

    /** Gives jobs back, so that any replica may take them at once. */
    release,

    /** Tells the queue that these jobs are still being worked on. Without jobs too it asks the database. */
    async touch(jobs: readonly Job[]): Promise<void> {
      // That the database answers is half of what the caller wants to know.
      if (jobs.length === 0) await pool.query('select 1');
      for (const [queue, group] of byQueue(jobs)) await boss.touch(queue, group);
    },

    /** Gives back the jobs whose heartbeat stopped, and removes old ones, in every queue that there is. */
    async supervise(): Promise<void> {
      await boss.supervise();
    },

    /**
     * Gives back every job that is being worked on. Only for a gateway that knows that no other is running: the
     * jobs are those of its own earlier life.
     */
    async releaseAll(): Promise<void> {
      const { rows } = await pool.query<Job>(
        `select id, retry_count as "retryCount", substr(name, ${QUEUE_PREFIX.length + 1}) as provider,
          group_id as "clientId"
        from ${QUEUE_SCHEMA}.job where starts_with(name, $1) and state = 'active'`,
        [QUEUE_PREFIX],
      );
      await release(rows);
    },

    async close(): Promise<void> {
      await boss.stop({ graceful: false });
    },
  };
}

export type Queue = Awaited<ReturnType<typeof openQueue>>;

const byQueue = <Item extends { provider: string }>(items: readonly Item[]): Map<string, Item[]> =>
  Map.groupBy(items, ({ provider }) => queueOf(provider));

/** A data folder of a development version may have jobs in the one queue of that time: they lose nothing but its name. */
async function moveFormerJobs(
  boss: PgBoss,
  pool: pg.Pool,
  install: (boss: PgBoss, provider: string) => Promise<void>,
): Promise<void> {
  if ((await boss.getQueue(FORMER_QUEUE)) === null) return;
  const { rowCount: atWork } = await pool.query(
    `select from ${QUEUE_SCHEMA}.job where name = $1 and state = 'active'
      and coalesce(heartbeat_on, started_on) > now() - make_interval(secs => $2)`,
    [FORMER_QUEUE, FORMER_HEARTBEAT_SECONDS],
  );
  if (atWork !== 0) {
    throw new ConfigError(
      'A gateway of an earlier development version is at work on this database. Stop it, and start this one half a minute later.',
    );
  }
  const { rows } = await pool.query<{ provider: string }>(
    `select distinct g.provider from ${QUEUE_SCHEMA}.job j join generations g on g.id = j.id
    where j.name = $1 and j.state < 'completed'`,
    [FORMER_QUEUE],
  );
  for (const { provider } of rows) await install(boss, provider);
  await pool.query(
    `update ${QUEUE_SCHEMA}.job j set name = $2 || g.provider from generations g
    where j.name = $1 and j.id = g.id and j.state < 'completed'`,
    [FORMER_QUEUE, QUEUE_PREFIX],
  );
  await boss.deleteQueue(FORMER_QUEUE);
}

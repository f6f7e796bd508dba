import { type Selectable, sql } from 'kysely';
import { FencedError } from '../errors.ts';
import type { Attempt, Generation, GenerationFailure, GenerationStatus, Image } from '../generation.ts';
import { type AttemptEnding, attemptsOf } from './attempts.ts';
import { storableFailure, writeConsequences } from './consequences.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { imagesOf } from './images.ts';
import { admit, type Limits } from './limits.ts';
import { CHANNELS } from './notifications.ts';
import type { Queue } from './queue.ts';
import { createReroutes } from './reroutes.ts';
import { generationColumns, storable, toGeneration } from './rows.ts';
import type { Job, Run } from './run.ts';
import type { GenerationsTable } from './tables.ts';
import type { Webhooks } from './webhooks.ts';
import { createWriteBatch } from './write-batch.ts';

/** How a run ends its generation. */
export type RunEnding = SucceededEnding | FailedEnding;

export interface SucceededEnding {
  readonly status: 'SUCCEEDED';
  readonly attempt: Attempt;
  readonly httpStatus: number | undefined;
  readonly model: string;
  readonly image: Omit<Image, 'id' | 'generationId' | 'clientId' | 'createdAt' | 'removedAt' | 'contentType'>;
}

export interface FailedEnding {
  readonly status: Extract<GenerationStatus, 'FAILED' | 'UNKNOWN'>;
  readonly failure: GenerationFailure;
  /** Whether the idempotency key goes on to answer for this generation. */
  readonly keyHeld: boolean;
  /** Whether the reservation of the day is given back: nothing may have been billed. */
  readonly refund: boolean;
  /** An attempt that brought an answer that came to nothing after the ring; its outcome is written here. */
  readonly attempt: { readonly attempt: Attempt; readonly ending: AttemptEnding } | undefined;
}

export interface Ended {
  readonly generation: Generation;
  readonly image: Image | undefined;
}

export interface Started {
  readonly runs: readonly Run[];
  /** What a limit left no room for; to be given back. */
  readonly refused: readonly Job[];
}

export interface RunsOptions {
  readonly db: Database;
  readonly queue: Queue;
  readonly now: () => Date;
  /** Unique to this process. */
  readonly replicaId: string;
  /** How long a generation may take from its first run, attempts and waits included, in milliseconds. */
  readonly deadlineMs: number;
  /** Undefined where nothing is limited. */
  readonly limits?: Limits | undefined;
  /** Undefined where nobody may be told. */
  readonly webhooks?: Webhooks | undefined;
}

/** Runs: taking over generations whose jobs were fetched, and ending them, each under its fence. */
export function createRuns(options: RunsOptions) {
  const { db, queue, now, replicaId, deadlineMs, limits, webhooks } = options;
  const reroutes = createReroutes({ db, queue, now, replicaId });
  const finishing = createWriteBatch<{ run: Run; ending: RunEnding }, Ended | undefined>({
    compare: (a, b) => (a.run.generation.id < b.run.generation.id ? -1 : 1),
    write: (items) => db.transaction().execute((transaction) => finishAll(transaction, items)),
  });

  async function finishAll(
    transaction: DatabaseTransaction,
    items: readonly { run: Run; ending: RunEnding }[],
  ): Promise<(Ended | undefined)[]> {
    const finishedAt = now();
    const input = items.map(({ run, ending }) => ({
      id: run.generation.id,
      runner: run.runner,
      status: ending.status,
      key_held: ending.status === 'SUCCEEDED' || ending.keyHeld,
      failure: ending.status === 'SUCCEEDED' ? null : storableFailure(ending.failure),
      model: ending.status === 'SUCCEEDED' ? storable(ending.model) : null,
    }));
    // Ended already by this very run (a commit whose answer was lost): told again, written once.
    const { rows } = await sql<Selectable<GenerationsTable> & { fresh: boolean }>`
      with input as (
        select * from json_to_recordset(${JSON.stringify(input)}::json) as x (
          id uuid, runner text, status text, key_held boolean, failure jsonb, model text)
      ), owned as (
        select g.id, g.status = 'RUNNING' as fresh from generations g join input i on i.id = g.id
        where g.runner = i.runner and g.status in ('RUNNING', i.status) order by g.id for update of g
      )
      update generations g
      set status = i.status, failure = i.failure, model = coalesce(i.model, g.model),
        key_held = g.key_held and i.key_held, finished_at = coalesce(g.finished_at, ${finishedAt})
      from input i join owned o on o.id = i.id where g.id = i.id
      returning ${generationColumns('g')}, o.fresh`.execute(transaction);
    const ended = new Map(rows.map((row) => [row.id, row]));
    const fresh = items.filter(({ run }) => ended.get(run.generation.id)?.fresh === true);
    const again = rows.filter((row) => !row.fresh && row.status === 'SUCCEEDED').map((row) => row.id);
    const images = new Map([
      ...(await imagesOf(transaction, again)),
      ...(await writeConsequences(transaction, fresh, finishedAt)),
    ]);
    await webhooks?.announce(
      transaction,
      fresh.map(({ run }) => run.generation.id),
    );
    await queue.complete(
      transaction,
      items.filter(({ run }) => ended.has(run.generation.id)).map(({ run }) => run.job),
    );
    return items.map(({ run }) => {
      const row = ended.get(run.generation.id);
      return row && { generation: toGeneration(row), image: images.get(row.id) };
    });
  }

  /** Under the fence of this replica, and tells whoever watches them. */
  async function markRunning(
    database: Database | DatabaseTransaction,
    jobs: readonly Job[],
    startedAt: Date,
  ): Promise<Selectable<GenerationsTable>[]> {
    const input = jobs.map(({ id, retryCount }) => ({
      id,
      runner: `${replicaId}:${retryCount}`,
      retry_count: retryCount,
    }));
    if (jobs.length === 0) return [];
    const { rows } = await sql<Selectable<GenerationsTable>>`
      with started as (
        update generations g
        set status = 'RUNNING', runner = i.runner, started_at = coalesce(g.started_at, ${startedAt}),
          deadline_at = coalesce(g.deadline_at, ${new Date(startedAt.getTime() + deadlineMs)})
        from json_to_recordset(${JSON.stringify(input)}::json) as i (id uuid, runner text, retry_count integer)
        where g.id = i.id and g.status in ('QUEUED', 'RUNNING')
          and (g.runner is null or substring(g.runner from '[0-9]+$')::integer < i.retry_count)
        returning ${generationColumns('g')}
      )
      select ${generationColumns('s')}, pg_notify(${CHANNELS.changes}, s.id::text) from started s`.execute(
      database,
    );
    return rows;
  }

  return {
    /**
     * Marks the generations of freshly fetched jobs as RUNNING under this replica's fence, as far as the limits let
     * them. A job whose generation has ended meanwhile is completed and left out; so is one that was taken over
     * between its fetch and now, by a replica that holds a later claim on it.
     */
    async start(jobs: readonly Job[]): Promise<Started> {
      if (jobs.length === 0) return { runs: [], refused: [] };
      const startedAt = now();
      const { rows, refused } =
        limits === undefined
          ? { rows: await markRunning(db, jobs, startedAt), refused: [] }
          : await db.transaction().execute(async (transaction) => {
              const { admitted, refused } = await admit(transaction, limits, jobs, queue.served);
              return { rows: await markRunning(transaction, admitted, startedAt), refused };
            });
      const taken = new Map(rows.map((row) => [row.id, row]));
      const over = jobs.filter((job) => !taken.has(job.id) && !refused.includes(job));
      if (over.length > 0) await db.transaction().execute((transaction) => queue.complete(transaction, over));
      // A first run has no attempts yet: only takeovers are asked about.
      const retaken = jobs.filter((job) => job.retryCount > 0 && taken.has(job.id));
      const attempts = await attemptsOf(
        db,
        retaken.map((job) => job.id),
      );
      const runs = jobs.flatMap((job) => {
        const row = taken.get(job.id);
        if (row === undefined) return [];
        return {
          job,
          runner: `${replicaId}:${job.retryCount}`,
          requestId: row.requestId,
          generation: toGeneration(row),
          attemptsMade: attempts.get(job.id) ?? [],
          deadlineAt: row.deadlineAt ?? new Date(startedAt.getTime() + deadlineMs),
        };
      });
      return { runs, refused };
    },

    /**
     * Writes the end of a generation, its image, its audit lines and the end of its job in one transaction,
     * and tells whoever waits, on whichever replica.
     * @throws {FencedError} when another run owns the generation.
     */
    async finish(run: Run, ending: RunEnding): Promise<Ended> {
      const ended = await finishing.add({ run, ending });
      if (ended === undefined) {
        throw new FencedError(`Generation ${run.generation.id} is run by another replica now, or has ended.`);
      }
      return ended;
    },

    /** Hands the generation over to the next provider of its route, see `createReroutes`. */
    reroute: reroutes.reroute,

    /** What is on record of a generation now, whoever runs it; undefined where nothing is. */
    async statusOf(generationId: string): Promise<GenerationStatus | undefined> {
      const query = db.selectFrom('generations').select('status').where('id', '=', generationId);
      return (await query.executeTakeFirst())?.status;
    },

    async settle(): Promise<void> {
      await Promise.all([finishing.settle(), reroutes.settle()]);
    },
  };
}

export type Runs = ReturnType<typeof createRuns>;

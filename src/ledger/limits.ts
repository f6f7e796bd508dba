import { sql } from 'kysely';
import { ConfigError } from '../errors.ts';
import { QUEUE_SCHEMA } from './boss.ts';
import type { DatabaseTransaction } from './database.ts';
import { LOCKS } from './locks.ts';
import { QUEUE_PREFIX } from './queue.ts';
import type { Job } from './run.ts';

/** How many generations may run at once, over all replicas. A generation makes one call at a time. */
export interface Limits {
  /** Of all providers together; undefined where there is no such limit. */
  readonly all: number | undefined;
  /** By provider. */
  readonly byProvider: ReadonlyMap<string, number>;
}

/** The limits of a configuration; undefined where it has none, and nothing needs to be counted. */
export function limitsOf(config: {
  readonly callsAtOnce: number | undefined;
  readonly providerCallsAtOnce: ReadonlyMap<string, number> | undefined;
}): Limits | undefined {
  const { callsAtOnce: all, providerCallsAtOnce: byProvider = new Map<string, number>() } = config;
  return all === undefined && byProvider.size === 0 ? undefined : { all, byProvider };
}

/** @throws {ConfigError} where a limit is set for a provider that there is not: it would limit nothing. */
export function refuseUnknownProviders(limits: Limits | undefined, providers: readonly string[]): void {
  const unknown = [...(limits?.byProvider.keys() ?? [])].filter((name) => !providers.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    `GESSO_PROVIDER_CALLS_AT_ONCE names ${unknown.join(', ')}; the configured providers are ${providers.join(', ')}.`,
  );
}

/** What the limits leave for generations that are yet to begin. */
export interface Room {
  has(provider: string): boolean;
  /** Uses it up by one. */
  take(provider: string): void;
}

/** The room beside those that run; several counts of a provider add up. */
export function roomBeside(
  running: readonly { readonly provider: string; readonly count: number }[],
  limits: Limits | undefined,
): Room {
  let all = limits?.all ?? Number.POSITIVE_INFINITY;
  const byProvider = new Map(limits?.byProvider);
  const use = (provider: string, count: number): void => {
    all -= count;
    const left = byProvider.get(provider);
    if (left !== undefined) byProvider.set(provider, left - count);
  };
  for (const { provider, count } of running) use(provider, count);
  return {
    has: (provider) => all > 0 && (byProvider.get(provider) ?? 1) > 0,
    take: (provider) => use(provider, 1),
  };
}

/**
 * Which of the jobs may begin, in the transaction that begins them. One such transaction at a time, over all replicas,
 * until it commits: what this one counts, no other one adds to. A generation that was begun before has its place already.
 * What was lost by a provider that is not served here, and may never be again, holds no place.
 */
export async function admit(
  transaction: DatabaseTransaction,
  limits: Limits,
  jobs: readonly Job[],
  served: ReadonlySet<string>,
): Promise<{ admitted: Job[]; refused: Job[] }> {
  await sql`select pg_advisory_xact_lock(${LOCKS.limits})`.execute(transaction);
  const running = await sql<{ provider: string; count: number }>`
    select provider, count(*)::integer as count from generations g
    where status = 'RUNNING' and (provider = any(${[...served]}::text[]) or not exists (
      select from ${sql.raw(QUEUE_SCHEMA)}.job j
      where j.name = ${QUEUE_PREFIX} || g.provider and j.id = g.id and j.state = 'retry'
    ))
    group by provider`.execute(transaction);
  const queued = await sql<{ id: string }>`
    select id from generations where id = any(${jobs.map(({ id }) => id)}::uuid[]) and status = 'QUEUED'`.execute(
    transaction,
  );
  const room = roomBeside(running.rows, limits);
  const fresh = new Set(queued.rows.map(({ id }) => id));
  const admitted: Job[] = [];
  const refused: Job[] = [];
  for (const job of jobs) {
    if (!fresh.has(job.id)) {
      admitted.push(job);
    } else if (room.has(job.provider)) {
      room.take(job.provider);
      admitted.push(job);
    } else {
      refused.push(job);
    }
  }
  return { admitted, refused };
}

import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

export interface PostgresCounters {
  readonly commits: number;
  readonly walBytes: number;
  readonly walFlushes: number;
  /** Time that backends spent flushing the log to the disk, in milliseconds. */
  readonly walFlushMs: number;
}

/** A backend reports what it did a second after it did it, or when it has been idle for so long. */
const REPORTED_AFTER_MS = 1_500;

/** What the server has done so far: two of these make the figures of the time between. */
export async function readCounters(client: pg.Client, database: string): Promise<PostgresCounters> {
  await delay(REPORTED_AFTER_MS);
  await client.query('select pg_stat_clear_snapshot()');
  const { rows } = await client.query<Record<keyof PostgresCounters, string>>(
    `select d.xact_commit as "commits", w.wal_bytes as "walBytes", i.flushes as "walFlushes",
       i.flush_ms as "walFlushMs"
     from pg_stat_database d, pg_stat_wal w,
       (select sum(fsyncs) as flushes, sum(fsync_time) as flush_ms from pg_stat_io where object = 'wal') i
     where d.datname = $1`,
    [database],
  );
  const [row] = rows;
  return {
    commits: Number(row?.commits ?? 0),
    walBytes: Number(row?.walBytes ?? 0),
    walFlushes: Number(row?.walFlushes ?? 0),
    walFlushMs: Number(row?.walFlushMs ?? 0),
  };
}

/** How often the backends are looked at, in milliseconds. */
const SAMPLE_MS = 20;

/**
 * Looks again and again at what the busy backends of a database do or wait for. `stop` resolves with how many were
 * found so at a time, on average, the commonest first; `at work` are those that wait for nothing but a processor, and
 * `Client:ClientRead` are in a transaction whose next statement the gateway has not sent yet.
 */
export function sampleBackends(client: pg.Client, database: string) {
  const stopping = new AbortController();
  const found = new Map<string, number>();
  let samples = 0;

  async function sample(): Promise<void> {
    while (!stopping.signal.aborted) {
      await client.query('select pg_stat_clear_snapshot()');
      const { rows } = await client.query<{ wait: string; query: string }>(
        `select coalesce(wait_event_type || ':' || wait_event, 'at work') as wait,
           left(regexp_replace(query, '\\s+', ' ', 'g'), 60) as query
         from pg_stat_activity
         where datname = $1 and state <> 'idle' and backend_type = 'client backend'`,
        [database],
      );
      samples += 1;
      for (const { wait, query } of rows) {
        for (const key of [wait, `${wait} | ${query}`]) found.set(key, (found.get(key) ?? 0) + 1);
      }
      await delay(SAMPLE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }
  const sampling = sample();

  return async function stop(): Promise<{ waits: Shares; statements: Shares }> {
    stopping.abort();
    await sampling;
    const shares = [...found]
      .sort(([, a], [, b]) => b - a)
      .map(([key, times]): [string, number] => [key, Math.round((times / samples) * 100) / 100]);
    return {
      waits: Object.fromEntries(shares.filter(([key]) => !key.includes(' | '))),
      statements: Object.fromEntries(shares.filter(([key]) => key.includes(' | ')).slice(0, 15)),
    };
  };
}

/** Backends at a time, on average. */
type Shares = Readonly<Record<string, number>>;

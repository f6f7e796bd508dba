import type pg from 'pg';
import { type Db as BossDatabase, PgBoss } from 'pg-boss';
import { LOCKS } from './locks.ts';

export interface BossOptions {
  readonly pool: pg.Pool;
  readonly onError: (error: unknown) => void;
}

/** Every queue of Gesso is pg-boss in a schema of the ledger's own database, so that a claim and its job commit together. */
export const QUEUE_SCHEMA = 'gesso_queue';

/**
 * Starts pg-boss and makes its queues by `install`, which may run again with every start.
 *
 * Nothing is supervised by pg-boss itself: the heartbeat decides when lost jobs may be looked for, see
 * `dispatcher/heartbeat.ts`.
 */
export async function openBoss(
  { pool, onError }: BossOptions,
  install: (boss: PgBoss) => Promise<void>,
): Promise<PgBoss> {
  const database: BossDatabase = { executeSql: (text, values) => pool.query(text, values as unknown[]) };
  const boss = new PgBoss({
    db: database,
    schema: QUEUE_SCHEMA,
    schedule: false,
    supervise: false,
    monitorIntervalSeconds: 2,
    // How often jobs that ended are removed. Left out: once a day, and a busy day's would all lie there.
    maintenanceIntervalSeconds: 3600,
  });
  boss.on('error', onError);
  await oneAtATime(pool, async () => {
    await boss.start();
    await install(boss);
  });
  return boss;
}

/** A replica that stands still while it installs must not keep the others from starting for ever. */
const START_LOCK_TIMEOUT_MS = 60_000;

/**
 * Replicas that start together install the queues one after the other. pg-boss takes a lock of its own for that, but
 * what a session remembers of the catalogs survives the wait for it, and the second one then fails with a duplicate.
 */
export async function oneAtATime(pool: pg.Pool, install: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`set lock_timeout = ${START_LOCK_TIMEOUT_MS}`);
    await client.query('select pg_advisory_lock($1)', [LOCKS.start]);
    await install();
  } finally {
    // Ends the session, and the lock with it, whatever state it is in.
    client.release(true);
  }
}

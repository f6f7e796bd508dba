import { hostname } from 'node:os';
import type pg from 'pg';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { createAttemptLog } from '../ledger/attempts.ts';
import { createAuditTrail } from '../ledger/audit.ts';
import { oneAtATime } from '../ledger/boss.ts';
import { openDatabase } from '../ledger/database.ts';
import { startEmbeddedPostgres } from '../ledger/embedded/embedded-postgres.ts';
import { limitsOf } from '../ledger/limits.ts';
import { migrate } from '../ledger/migrate.ts';
import { openNotifications } from '../ledger/notifications.ts';
import { openQueue } from '../ledger/queue.ts';
import { createRuns } from '../ledger/runs.ts';
import { createWebhookJobs, installWebhookQueue } from '../ledger/webhook-jobs.ts';
import { createWebhooks } from '../ledger/webhooks.ts';

export interface RecordsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  /** Ends waits for a database that is away. */
  readonly signal: AbortSignal;
}

/** Connects to the PostgreSQL of the configuration, or runs the embedded one. */
export async function connect(config: Config, log: Logger, role: 'gateway' | 'guest') {
  if (config.databaseUrl !== undefined) {
    const connection: pg.PoolConfig = { connectionString: config.databaseUrl };
    return { connection, embedded: false, close: async () => {} };
  }
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, role, log });
  return { connection: server.connection as pg.PoolConfig, embedded: true, close: () => server.close() };
}

/** Time for a job beyond the deadline of its generation: decoding, storing, and a database that was away. */
const EXPIRY_MARGIN_SECONDS = 15 * 60;

/** Opens everything that is kept in PostgreSQL, at the newest version. */
export async function openRecords({ config, log, clock, signal }: RecordsOptions) {
  const server = await connect(config, log, 'gateway');
  // Closed last-opened first, every one of them, also when one fails or a later one can't be opened.
  await using opened = new AsyncDisposableStack();
  opened.defer(server.close);
  const { db, pool } = openDatabase({
    connection: server.connection,
    poolSize: config.databasePoolSize,
    onLostConnection: (error) => log.warn({ err: error }, 'a database connection was lost'),
  });
  opened.defer(() => db.destroy());
  await migrate(db);
  const queue = await openQueue({
    pool,
    heartbeatSeconds: config.heartbeatSeconds,
    expireInSeconds: Math.ceil(config.deadlineMs / 1000) + EXPIRY_MARGIN_SECONDS,
    onError: (error) => log.warn({ err: error }, 'the queue met an error'),
  });
  opened.defer(() => queue.close());
  // The embedded server's lock proves that nobody else runs: what is at work there is of an earlier life.
  if (server.embedded) await queue.releaseAll();
  // Also where no host may be told from here: what ends here may have been asked for at a replica that tells it.
  const telling = { db, boss: queue.boss, now: clock.now };
  const webhooks = createWebhooks(telling);
  const webhookJobs = createWebhookJobs(telling);
  await oneAtATime(pool, () => installWebhookQueue(queue.boss));
  if (server.embedded) await webhookJobs.releaseAll();
  const notifications = await openNotifications({
    connection: server.connection,
    onError: (error) => log.warn({ err: error }, 'the LISTEN connection was lost'),
  });
  opened.defer(() => notifications.close());
  const waiting = {
    signal,
    sleep: clock.sleep,
    onRetry: (error: unknown) => log.warn({ err: error }, 'the database is away; trying again'),
  };
  const replicaId = `${hostname()}:${process.pid}:${uuidv7()}`;
  const limits = limitsOf(config);
  const stack = opened.move();
  return {
    db,
    replicaId,
    queue,
    limits,
    notifications,
    attemptLog: createAttemptLog({ db, now: clock.now, waiting }),
    auditTrail: createAuditTrail({ db, now: clock.now }),
    runs: createRuns({
      db,
      queue,
      now: clock.now,
      replicaId,
      deadlineMs: config.deadlineMs,
      limits,
      webhooks,
    }),
    webhooks,
    webhookJobs,
    close: () => stack.disposeAsync(),
  };
}

export type Records = Awaited<ReturnType<typeof openRecords>>;

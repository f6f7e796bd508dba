import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Claim, createClaims } from '../../src/ledger/claims.ts';
import { ensureClient } from '../../src/ledger/clients.ts';
import { type Database, openDatabase } from '../../src/ledger/database.ts';
import { migrate } from '../../src/ledger/migrate.ts';
import { openQueue, type Queue } from '../../src/ledger/queue.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** What a replica has of the ledger, without the rest of the gateway. */
interface Replica {
  readonly db: Database;
  readonly queue: Queue;
  readonly claims: ReturnType<typeof createClaims>;
}

const now = () => new Date();
const fail = (error: unknown): never => {
  throw error;
};

async function openReplica(url: string): Promise<Replica> {
  const { db, pool } = openDatabase({ connection: { connectionString: url }, onLostConnection: fail });
  await migrate(db);
  const queue = await openQueue({ pool, heartbeatSeconds: 10, expireInSeconds: 60, onError: fail });
  await queue.serve(['bettertoken']);
  return { db, queue, claims: createClaims({ db, queue, now, replicaId: randomUUID() }) };
}

async function closeReplica({ db, queue }: Replica): Promise<void> {
  await queue.close();
  await db.destroy();
}

let database: TestDatabase;
let first: Replica;
let second: Replica;
let clientId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  first = await openReplica(database.url);
  second = await openReplica(database.url);
  clientId = (await ensureClient(first.db, 'somebody', now())).id;
});
afterAll(() => database.drop());

const claimOf = (idempotencyKey: string, change: Partial<Claim> = {}): Claim => ({
  clientId,
  apiKeyId: undefined,
  requestId: randomUUID(),
  prompt: 'a picture',
  size: '1024x1024',
  delivery: 'AT_LEAST_ONCE',
  requestedProvider: undefined,
  provider: 'bettertoken',
  route: undefined,
  model: undefined,
  idempotencyKey,
  ordinal: 0,
  fingerprint: 'f'.repeat(64),
  imagesPerDay: undefined,
  webhookUrl: undefined,
  ...change,
});

async function rowsOf(
  keys: readonly string[],
): Promise<{ jobs: number; generations: number; lines: number }> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(
    `with mine as (select id from generations where idempotency_key = any($1))
    select (select count(*)::integer from mine) as generations,
      (select count(*)::integer from gesso_queue.job where id in (select id from mine)) as jobs,
      (select count(*)::integer from audit_events where generation_id in (select id from mine)) as lines`,
    [keys],
  );
  await client.end();
  return rows[0];
}

describe('a claim that PostgreSQL refuses', () => {
  it.each([
    ['a NUL', 'before\0after'],
    ['a lone surrogate', 'before\ud800after'],
  ])('fails alone for %s in its prompt; those that travel with it are kept', async (_what, prompt) => {
    const keys = Array.from({ length: 8 }, () => randomUUID());
    const bad = 3;
    const claiming = keys.map((key, index) =>
      first.claims.claim(claimOf(key, index === bad ? { prompt } : {})),
    );
    const settled = await Promise.allSettled(claiming);
    expect(settled.map(({ status }) => status)).toEqual(
      keys.map((_, index) => (index === bad ? 'rejected' : 'fulfilled')),
    );
    expect(await rowsOf(keys)).toEqual({ generations: 7, jobs: 7, lines: 7 });
  });
});

describe('overlapping batches of claims', () => {
  const ROUNDS = 40;
  const KEYS = 24;

  it('of two replicas in opposite orders: each key once, and no deadlock in 40 rounds', async () => {
    const apiKeyId = randomUUID();
    const limited = { apiKeyId, imagesPerDay: 1_000_000 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const keys = Array.from({ length: KEYS }, () => randomUUID());
      const there = keys.map((key) => first.claims.claim(claimOf(key, limited)));
      const back = keys.toReversed().map((key) => second.claims.claim(claimOf(key, limited)));
      const ones = await Promise.all(there);
      const others = (await Promise.all(back)).toReversed();
      for (const [index, one] of ones.entries()) {
        const kinds = [one.kind, others[index]?.kind].toSorted();
        expect(kinds).toEqual(['claimed', 'held']);
      }
      expect(await rowsOf(keys)).toEqual({ generations: KEYS, jobs: KEYS, lines: KEYS });
    }
    const used = await first.db
      .selectFrom('quotaUsage')
      .select('used')
      .where('apiKeyId', '=', apiKeyId)
      .execute();
    expect(used).toEqual([{ used: ROUNDS * KEYS }]);

    // A batch that met a deadlock would be replayed row by row and succeed, so the server itself is asked. It
    // counts a connection's deadlocks when the connection ends at the latest.
    await Promise.all([closeReplica(first), closeReplica(second)]);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query(
      'select deadlocks::integer from pg_stat_database where datname = current_database()',
    );
    await client.end();
    expect(rows).toEqual([{ deadlocks: 0 }]);
  });
});

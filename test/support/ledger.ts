import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import pg from 'pg';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { type Clock, systemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { openRecords, type Records } from '../../src/gateway/records.ts';
import type { Attempt, Generation } from '../../src/generation.ts';
import { type Claim, createClaims } from '../../src/ledger/claims.ts';
import { ensureClient } from '../../src/ledger/clients.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { SucceededEnding } from '../../src/ledger/runs.ts';
import { makeAttempt, PROVIDER } from '../../src/testing/made-up.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** What a replica keeps in PostgreSQL, as the gateway opens it. */
export interface TestReplica extends Records {
  readonly claims: ReturnType<typeof createClaims>;
}

/** A ledger without a gateway, on a database of its own, with one client in it. */
export interface TestLedger extends TestReplica {
  readonly databaseUrl: string;
  readonly clientId: string;
  /** Another replica on the same database; closed with the ledger. */
  openReplica(): Promise<TestReplica>;
  claimOf(changes?: Partial<Claim>): Claim;
  /** Claims a new generation, and returns it as it was written. */
  generation(changes?: Partial<Claim>): Promise<Generation>;
  /** Claims a generation, and takes its job: the run of a replica. */
  run(changes?: Partial<Claim>): Promise<Run>;
  /** One SQL statement. */
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export async function openTestLedger({
  clock = systemClock,
  environment = {},
}: {
  clock?: Clock;
  /** On top of the defaults. */
  environment?: Readonly<Record<string, string>>;
} = {}): Promise<TestLedger> {
  const database: TestDatabase = await createTestDatabase();
  const config = readConfig({
    DATABASE_URL: database.url,
    GESSO_URL_SECRET: 'url-secret-of-the-tests',
    GESSO_DATA_DIR: tmpdir(),
    GESSO_DATABASE_POOL_SIZE: '5',
    ...environment,
  });
  const closing = new AbortController();
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  // Dropping the database may cut a connection that is still closing.
  pool.on('error', () => undefined);
  const replicas: TestReplica[] = [];
  async function openReplica(): Promise<TestReplica> {
    const log = pino({ enabled: false });
    const records = await openRecords({ config, log, clock, signal: closing.signal });
    await records.queue.serve([PROVIDER]);
    const replica = { ...records, claims: createClaims({ ...records, now: clock.now }) };
    replicas.push(replica);
    return replica;
  }
  const first = await openReplica();
  const { id: clientId } = await ensureClient(first.db, 'tests', clock.now());

  const claimOf = (changes: Partial<Claim> = {}): Claim => ({
    clientId,
    apiKeyId: undefined,
    requestId: randomUUID(),
    prompt: 'a lighthouse',
    size: '1024x1024',
    delivery: 'AT_LEAST_ONCE',
    requestedProvider: undefined,
    provider: PROVIDER,
    route: undefined,
    model: 'made-up-1',
    idempotencyKey: undefined,
    ordinal: 0,
    fingerprint: 'f'.repeat(64),
    imagesPerDay: undefined,
    webhookUrl: undefined,
    ...changes,
  });
  async function generation(changes?: Partial<Claim>): Promise<Generation> {
    const result = await first.claims.claim(claimOf(changes));
    if (result.kind !== 'claimed') throw new Error(`The claim was answered ${result.kind}.`);
    return result.generation;
  }
  return {
    ...first,
    databaseUrl: database.url,
    clientId,
    openReplica,
    claimOf,
    generation,
    async run(changes) {
      const { id } = await generation(changes);
      // Jobs that other tests left behind come first.
      for (;;) {
        const jobs = await first.queue.fetch(PROVIDER, 100);
        if (jobs.length === 0) throw new Error('The job was taken by another test.');
        const [run] = (await first.runs.start(jobs.filter((job) => job.id === id))).runs;
        if (run !== undefined) return run;
      }
    },
    async rows<Row extends object>(text: string, values: readonly unknown[] = []) {
      const { rows } = await pool.query<Row>(text, [...values]);
      return rows;
    },
    async close() {
      closing.abort();
      for (const replica of replicas) await replica.close();
      await pool.end();
      await database.drop();
    },
  };
}

/** An attempt of the run that is new to the ledger. */
export const newAttempt = ({ generation }: Run, changes: Partial<Attempt> = {}): Attempt =>
  makeAttempt({
    id: uuidv7(),
    generationId: generation.id,
    requestId: randomUUID(),
    startedAt: new Date(),
    ...changes,
  });

/** An end with an image, brought by the attempt. */
export const success = (attempt: Attempt): SucceededEnding => ({
  status: 'SUCCEEDED',
  attempt,
  httpStatus: 200,
  model: 'made-up-1',
  image: {
    blobKey: `${attempt.id}.png`,
    width: 64,
    height: 48,
    byteSize: 1234,
    sha256: 'f'.repeat(64),
    revisedPrompt: undefined,
    thumbhash: undefined,
  },
});

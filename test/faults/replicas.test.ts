import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

/** Several gateways on one database, one storage and one upstream: that of the first. */
const REPLICAS = 3;
let database: TestDatabase;
let storage: string;
let replicas: TestGateway[];
beforeAll(async () => {
  database = await createTestDatabase();
  storage = await mkdtemp(join(tmpdir(), 'gesso-shared-'));
  const shared = { DATABASE_URL: database.url, GESSO_STORAGE_URL: storage };
  const first = await startTestGateway({ environment: shared });
  const environment = { ...shared, BETTERTOKEN_BASE_URL: first.sandbox.baseUrl };
  const others = Array.from({ length: REPLICAS - 1 }, () => startTestGateway({ environment }));
  replicas = [first, ...(await Promise.all(others))];
});
afterAll(async () => {
  // The first one's upstream serves them all, so it goes last.
  for (const replica of replicas.toReversed()) await replica.close();
  await database.drop();
  await rm(storage, { recursive: true, force: true });
});

const journal = () => {
  const [first] = replicas;
  if (first === undefined) throw new Error('There is no replica.');
  return first.sandbox.journal;
};
const callsFor = (prompt: string) => journal().calls((call) => call.prompt === prompt);

describe('100 concurrent requests with one key over three replicas', () => {
  it('make one call, and every replica answers and serves the same image', async () => {
    const input = { prompt: 'asked everywhere', idempotencyKey: freshKey() };
    const asking = Array.from({ length: 100 }, (_, index) =>
      replicas[index % REPLICAS]?.generateImage(input),
    );
    const answers = await Promise.all(asking);
    expect(callsFor(input.prompt)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer?.__typename))).toEqual(new Set(['GenerateImageSuccess']));
    expect(new Set(answers.map((answer) => answer?.image?.id)).size).toBe(1);
    expect(new Set(answers.map((answer) => answer?.image?.sha256)).size).toBe(1);
    expect(answers.filter((answer) => answer?.replayed === false)).toHaveLength(1);
    for (const answer of answers.slice(0, REPLICAS)) {
      expect((await fetch(answer?.image?.url ?? '')).status).toBe(200);
    }
  });
});

describe('a conflict on another replica', () => {
  it('is seen in the ledger and in the cache', async () => {
    const [first, second] = replicas;
    const input = { prompt: 'said here', idempotencyKey: freshKey() };
    await first?.generateImage(input);
    const elsewhere = await second?.generateImage({ ...input, prompt: 'said otherwise there' });
    expect(elsewhere?.__typename).toBe('IdempotencyConflictError');
    expect(callsFor('said otherwise there')).toEqual([]);
  });
});

describe('overlapping requests for several keys', () => {
  it('are each made once, whichever replica takes them', async () => {
    const keys = Array.from({ length: 30 }, () => freshKey());
    const prompt = 'one of thirty';
    const forwards = keys.map((idempotencyKey) => replicas[0]?.generateImage({ prompt, idempotencyKey }));
    const backwards = keys
      .toReversed()
      .map((idempotencyKey) => replicas[1]?.generateImage({ prompt, idempotencyKey }));
    const there = await Promise.all(forwards);
    const back = (await Promise.all(backwards)).toReversed();
    expect(back.map((answer) => answer?.image?.id)).toEqual(there.map((answer) => answer?.image?.id));
    expect(callsFor(prompt)).toHaveLength(keys.length);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { cancelGeneration, generationNow, startedId } from '../support/background.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createSteppedPictures } from '../support/stepped-pictures.ts';

/** A statement is prepared from the third time on, and its plan is kept from the sixth. */
const ROUNDS = 8;
const LISTS = `{
  generations(first: 100) { edges { node { id attempts { number } image { sha256 } } } }
  auditEvents(first: 100) { edges { node { action } } }
  apiKeys(first: 100) { edges { node { id } } }
}`;

/**
 * A replica of the next version starts beside this one, and its migrations add a column to every table, those of the
 * queue included. What this one has prepared must go on: PostgreSQL refuses a prepared statement whose result has
 * changed its shape.
 */
describe.each([
  ['without limits', {}],
  ['under limits', { GESSO_CALLS_AT_ONCE: '3' }],
])('a replica under which the next version adds columns, %s', (_name, limits: Record<string, string>) => {
  const held = createSteppedPictures();
  const picture = plainPicture({ width: 64, height: 64 });
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      // Each of two connections sees every statement often enough.
      environment: { GESSO_DATABASE_POOL_SIZE: '2', GESSO_CONCURRENCY: '3', ...limits },
      upstream: {
        pictures: (request) => (request.prompt === 'held' ? held.paint(request) : picture),
      },
    });
  });
  afterAll(async () => {
    held.finishAll();
    await gateway.close();
  });

  async function generateAndReplay(): Promise<void> {
    const input = { prompt: 'before and after', idempotencyKey: freshKey() };
    const made = await gateway.generateImage(input);
    expect(made).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect((await fetch(made.image?.url ?? '')).status).toBe(200);
    expect(await gateway.generateImage(input)).toMatchObject({ replayed: true });
    const other = await gateway.generateImage({ ...input, prompt: 'another' });
    expect(other.__typename).toBe('IdempotencyConflictError');
    const many = await gateway.generateImages({ prompt: 'more than there are places', count: 5 });
    expect(new Set(many.map(({ __typename }) => __typename))).toEqual(new Set(['GenerateImageSuccess']));
  }

  async function fail(): Promise<void> {
    gateway.sandbox.behave({ kind: 'status', status: 503 }, { kind: 'status', status: 400 });
    expect(await gateway.generateImage({ prompt: 'is rejected' })).toMatchObject({
      __typename: 'ProviderRejectedError',
      generation: { attempts: [{ outcome: 'NOT_ACCEPTED' }, { outcome: 'REJECTED' }] },
    });
  }

  async function cancel(): Promise<void> {
    const id = await startedId(gateway, { prompt: 'held' });
    await expect.poll(() => held.open, { timeout: 10_000 }).toContain('held');
    expect(await cancelGeneration(gateway, id)).toMatchObject({ mayBeBilled: true });
    held.finishOne('held');
    expect(await generationNow(gateway, id)).toMatchObject({ status: 'CANCELED' });
  }

  async function spendQuota(): Promise<void> {
    const client = await gateway.createClient(freshKey(), ['images:generate'], 1);
    expect((await client.generateImage({ prompt: 'of the day' })).__typename).toBe('GenerateImageSuccess');
    expect((await client.generateImage({ prompt: 'too many' })).__typename).toBe('QuotaExceededError');
  }

  async function doEverything(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      for (const act of [generateAndReplay, fail, cancel, spendQuota]) await act();
      const { body } = await gateway.send(LISTS);
      expect(body.errors).toBeUndefined();
    }
  }

  it('goes on with all that it did before', async () => {
    await doEverything();
    const tables = await gateway.sql<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('public', 'gesso_queue') and c.relkind in ('r', 'p') and not c.relispartition`,
    );
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['generations', 'gesso_queue.job']),
    );
    for (const { name } of tables)
      await gateway.sql(`alter table ${name} add column of_the_next_version text`);
    await doEverything();
    expect(gateway.logLines.filter((line) => line.includes('cached plan'))).toEqual([]);
  });
});

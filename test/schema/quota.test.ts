import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { GraphqlClient } from '../support/graphql-client.ts';

const MIDNIGHT = '2026-03-11T00:00:00.000Z';
const DAY_MS = 24 * 3600 * 1000;

/** Runs on from an afternoon, so that no midnight comes in between. */
function createAfternoonClock(): Clock & { nextDay(): void } {
  let behindMs = Date.now() - Date.parse('2026-03-10T15:00:00Z');
  return {
    ...systemClock,
    now: () => new Date(Date.now() - behindMs),
    nextDay() {
      behindMs -= DAY_MS;
    },
  };
}

describe('a quota of images a day', () => {
  const clock = createAfternoonClock();
  let gateway: TestGateway;
  let count = 0;
  beforeAll(async () => {
    gateway = await startTestGateway({ clock, environment: { GESSO_RETRY_DELAYS_MS: '10' } });
  });
  afterAll(() => gateway.close());

  const clientWith = (imagesPerDay: number): Promise<GraphqlClient> => {
    count += 1;
    return gateway.createClient(`client ${count}`, ['images:generate'], imagesPerDay);
  };
  const quotaOf = async (client: GraphqlClient) =>
    (
      await client.query<{ viewer: { quota: object | null } }>(
        '{ viewer { quota { limit remaining resetAt } } }',
      )
    ).viewer.quota;
  const billed = (prompt: string) => gateway.sandbox.journal.billed((call) => call.prompt === prompt).length;

  it('is spent image by image, and refuses what is over it until the next UTC midnight', async () => {
    const client = await clientWith(2);
    expect(await quotaOf(client)).toEqual({ limit: 2, remaining: 2, resetAt: MIDNIGHT });
    const results = [];
    for (let index = 0; index < 3; index += 1)
      results.push(await client.generateImage({ prompt: 'two a day' }));
    expect(results.map(({ __typename }) => __typename)).toEqual([
      'GenerateImageSuccess',
      'GenerateImageSuccess',
      'QuotaExceededError',
    ]);
    expect(results[2]).toMatchObject({ retryable: true, resetAt: MIDNIGHT });
    expect(billed('two a day')).toBe(2);
    expect(await quotaOf(client)).toEqual({ limit: 2, remaining: 0, resetAt: MIDNIGHT });
  });

  it('leaves a refusal on the audit trail, and nothing else', async () => {
    const client = await clientWith(0);
    const answer = await client.generateImage({ prompt: 'none a day', idempotencyKey: freshKey() });
    expect(answer.__typename).toBe('QuotaExceededError');
    expect(await gateway.sql(`select id from generations where prompt = 'none a day'`)).toEqual([]);
    const lines = await gateway.sql(
      `select action from audit_events e join clients c on c.id = e.client_id
       where c.name = 'client ${count}' and action like 'GENERATION%'`,
    );
    expect(lines).toEqual([{ action: 'GENERATION_DENIED' }]);
  });

  it('is of the key: another key of the same client has its own', async () => {
    const [one, two] = [
      await gateway.createClient('siblings', ['images:generate'], 1),
      await gateway.createClient('siblings', ['images:generate'], 1),
    ];
    for (const client of [one, two]) {
      expect((await client.generateImage({ prompt: 'a sibling' })).__typename).toBe('GenerateImageSuccess');
    }
    expect((await one.generateImage({ prompt: 'a sibling' })).__typename).toBe('QuotaExceededError');
  });

  it('is none where the key has no limit', async () => {
    expect(await quotaOf(gateway)).toBeNull();
    expect(await quotaOf(await gateway.createClient('free', ['images:generate']))).toBeNull();
  });

  it('is not touched by those who join, replay or conflict', async () => {
    const client = await clientWith(2);
    const input = { prompt: 'once', idempotencyKey: freshKey() };
    gateway.sandbox.behave({ kind: 'normal', delayMs: 100 });
    await Promise.all(Array.from({ length: 5 }, () => client.generateImage(input)));
    expect(await client.generateImage(input)).toMatchObject({ replayed: true });
    expect((await client.generateImage({ ...input, prompt: 'twice' })).__typename).toBe(
      'IdempotencyConflictError',
    );
    expect(await quotaOf(client)).toMatchObject({ remaining: 1 });
    // Also when it is spent.
    await client.generateImage({ prompt: 'once' });
    expect(await client.generateImage(input)).toMatchObject({ replayed: true });
    expect(billed('once')).toBe(2);
  });

  it.each([
    ['the provider refused it', [{ kind: 'status', status: 400 }]],
    ['the provider would not have the key', [{ kind: 'status', status: 401 }]],
    ['no attempt was accepted', Array.from({ length: 2 }, () => ({ kind: 'status', status: 503 }))],
  ] as [string, Behaviour[]][])('is given back when nothing can be billed: %s', async (_why, behaviours) => {
    const client = await clientWith(1);
    gateway.sandbox.behave(...behaviours);
    const answer = await client.generateImage({ prompt: 'given back', delivery: 'AT_MOST_ONCE' });
    expect(answer.__typename).toMatch(/^Provider/);
    expect(await quotaOf(client)).toMatchObject({ remaining: 1 });
    expect((await client.generateImage({ prompt: 'at last' })).__typename).toBe('GenerateImageSuccess');
    expect(await quotaOf(client)).toMatchObject({ remaining: 0 });
  });

  it.each([
    ['the answer was lost', 'AT_MOST_ONCE', [{ kind: 'reset', at: 'before-headers' }], 'OutcomeUnknownError'],
    [
      'every answer was lost',
      'AT_LEAST_ONCE',
      [
        { kind: 'reset', at: 'mid-body' },
        { kind: 'reset', at: 'mid-body' },
      ],
      'ProviderUnavailableError',
    ],
    [
      'the image does not decode',
      'AT_LEAST_ONCE',
      [{ kind: 'broken-picture', fault: 'bad-checksum' }],
      'InvalidImageError',
    ],
  ] as const)('is not given back when it may be billed: %s', async (_why, delivery, behaviours, typename) => {
    const client = await clientWith(1);
    gateway.sandbox.behave(...behaviours);
    expect((await client.generateImage({ prompt: 'lost', delivery })).__typename).toBe(typename);
    expect(await quotaOf(client)).toMatchObject({ remaining: 0 });
    expect((await client.generateImage({ prompt: 'lost' })).__typename).toBe('QuotaExceededError');
  });

  it('is never overdrawn by requests that come at once', async () => {
    const client = await clientWith(5);
    const results = await Promise.all(
      Array.from({ length: 30 }, () => client.generateImage({ prompt: 'a crowd' })),
    );
    const typenames = results.map(({ __typename }) => __typename);
    expect(typenames.filter((name) => name === 'GenerateImageSuccess')).toHaveLength(5);
    expect(typenames.filter((name) => name === 'QuotaExceededError')).toHaveLength(25);
    expect(billed('a crowd')).toBe(5);
    expect(await quotaOf(client)).toMatchObject({ remaining: 0 });
  });

  it('lets as many of several images pass as there are left', async () => {
    const client = await clientWith(3);
    const results = await client.generateImages({ prompt: 'five of three', count: 5 });
    const typenames = results.map(({ __typename }) => __typename).toSorted();
    expect(typenames).toEqual([
      ...Array.from({ length: 3 }, () => 'GenerateImageSuccess'),
      ...Array.from({ length: 2 }, () => 'QuotaExceededError'),
    ]);
    expect(billed('five of three')).toBe(3);
  });

  it('begins anew with the next day', async () => {
    const client = await clientWith(1);
    const answer = async () => (await client.generateImage({ prompt: 'a day' })).__typename;
    expect([await answer(), await answer()]).toEqual(['GenerateImageSuccess', 'QuotaExceededError']);
    clock.nextDay();
    expect(await quotaOf(client)).toEqual({ limit: 1, remaining: 1, resetAt: '2026-03-12T00:00:00.000Z' });
    expect([await answer(), await answer()]).toEqual(['GenerateImageSuccess', 'QuotaExceededError']);
  });
});

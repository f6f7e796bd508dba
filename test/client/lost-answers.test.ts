import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createClient,
  type GessoClient,
  IdempotencyConflictError,
  InvalidImageError,
  ProviderUnavailableError,
} from '../../src/client/index.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

/**
 * What asking with a key again would buy twice: the answer was lost, and meanwhile the generation failed in a way that
 * frees its key (docs/idempotency.md, "How it ends").
 */
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());
afterEach(() => gateway.sandbox.behaveAlways(undefined));

const bytes = Buffer.from('no picture');
const billed = (prompt: string) => gateway.sandbox.journal.billed((entry) => entry.prompt === prompt).length;
const calls = (prompt: string) => gateway.sandbox.journal.calls((entry) => entry.prompt === prompt).length;

const ended = async (prompt: string): Promise<number> =>
  (await gateway.sql('select id from generations where prompt = $1 and finished_at is not null', [prompt]))
    .length;
const started = async (prompt: string): Promise<number> =>
  (await gateway.sql('select id from generations where prompt = $1', [prompt])).length;

/** A client that loses the first answer to a mutation, and hears of nothing else until `until` has come true. */
function forgetful(until: () => Promise<boolean>, { skewMs = 0 } = {}): GessoClient {
  let lost = false;
  return createClient({
    url: gateway.url,
    apiKey: ADMIN_KEY,
    clock: {
      now: () => Date.now() + skewMs,
      sleep: () => new Promise((resolve) => setTimeout(resolve, 5)),
    },
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (lost || !String(init?.body).includes('mutation')) return response;
      lost = true;
      await response.text();
      await expect.poll(until, { timeout: 20_000 }).toBe(true);
      throw new TypeError('fetch failed');
    },
  });
}

describe('an answer that was lost', () => {
  it.each([
    ['clocks that agree', 0],
    ['a clock that is a day ahead', 86_400_000],
    ['a clock that is a day behind', -86_400_000],
  ])('costs nothing more where the picture was billed and useless: %s', async (_name, skewMs) => {
    const prompt = `useless ${freshKey()}`;
    gateway.sandbox.behaveAlways({ kind: 'picture', bytes });
    const client = forgetful(async () => (await ended(prompt)) === 1, { skewMs });
    await expect(client.generateImage({ prompt })).rejects.toBeInstanceOf(InvalidImageError);
    expect({ billed: billed(prompt), generations: await started(prompt) }).toEqual({
      billed: 1,
      generations: 1,
    });
  });

  it('costs nothing more where the provider was away: the error is of the first generation', async () => {
    const prompt = `away ${freshKey()}`;
    gateway.sandbox.behaveAlways({ kind: 'status', status: 503 });
    const client = forgetful(async () => (await ended(prompt)) === 1);
    await expect(client.generateImage({ prompt })).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect({ calls: calls(prompt), generations: await started(prompt) }).toEqual({
      calls: 4,
      generations: 1,
    });
  });

  it('does not revive what was canceled meanwhile', async () => {
    const prompt = `canceled ${freshKey()}`;
    gateway.sandbox.behaveAlways({ kind: 'hang', at: 'before-accept' });
    const client = forgetful(async () => {
      for await (const { id, prompt: own } of createClient({
        url: gateway.url,
        apiKey: ADMIN_KEY,
      }).generations()) {
        if (own !== prompt) continue;
        await gateway.query('mutation ($id: ID!) { cancelGeneration(input: { id: $id }) { __typename } }', {
          id,
        });
      }
      return (await ended(prompt)) === 1;
    });
    await expect(client.generateImage({ prompt })).rejects.toMatchObject({ name: 'GenerationCanceledError' });
    expect(await started(prompt)).toBe(1);
  });

  it('is found for startGeneration too, and for one that succeeded', async () => {
    const prompt = `fine ${freshKey()}`;
    const client = forgetful(async () => (await ended(prompt)) === 1);
    const generation = await client.startGeneration({ prompt });
    expect(generation).toMatchObject({ status: 'SUCCEEDED', prompt });
    expect(await started(prompt)).toBe(1);
  });

  it('leaves a conflict a conflict', async () => {
    const idempotencyKey = freshKey();
    const asked = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
    await asked.generateImage({ prompt: `first ${idempotencyKey}`, idempotencyKey });
    const client = forgetful(async () => true);
    const call = client.generateImage({ prompt: `second ${idempotencyKey}`, idempotencyKey });
    await expect(call).rejects.toBeInstanceOf(IdempotencyConflictError);
  });

  it('is asked for again where nothing had arrived', async () => {
    const prompt = `never arrived ${freshKey()}`;
    let sent = 0;
    const client = createClient({
      url: gateway.url,
      apiKey: ADMIN_KEY,
      clock: { now: Date.now, sleep: async () => undefined },
      fetch(input, init) {
        sent += 1;
        return sent === 1 ? Promise.reject(new TypeError('fetch failed')) : fetch(input, init);
      },
    });
    expect(await client.generateImage({ prompt })).toMatchObject({ replayed: false });
    expect({ billed: billed(prompt), generations: await started(prompt) }).toEqual({
      billed: 1,
      generations: 1,
    });
  });

  it('of several buys none of them again', async () => {
    const prompt = `three ${freshKey()}`;
    let made = 0;
    gateway.sandbox.behaveAlways(() => (++made === 2 ? { kind: 'picture', bytes } : undefined));
    const client = forgetful(async () => (await ended(prompt)) === 3);
    const results = await client.generateImages({ prompt, count: 3 });
    expect(results.map((result) => (result.ok ? 'image' : result.error.name)).sort()).toEqual([
      'InvalidImageError',
      'image',
      'image',
    ]);
    expect({ billed: billed(prompt), generations: await started(prompt) }).toEqual({
      billed: 3,
      generations: 3,
    });
  });

  it('of several, of which the quota refused one, buys none of them again', async () => {
    const prompt = `two of three ${freshKey()}`;
    gateway.sandbox.behaveAlways({ kind: 'picture', bytes });
    const { key } = await gateway.createClient(prompt, ['images:generate'], 2);
    let sent = 0;
    const client = createClient({
      url: gateway.url,
      apiKey: key,
      clock: { now: Date.now, sleep: async () => undefined },
      async fetch(input, init) {
        sent += 1;
        if (sent > 1) return fetch(input, init);
        await fetch(input, init);
        await expect.poll(() => ended(prompt), { timeout: 20_000 }).toBe(2);
        throw new TypeError('fetch failed');
      },
    });
    const results = await client.generateImages({ prompt, count: 3 });
    expect(results.map((result) => (result.ok ? 'image' : result.error.name)).sort()).toEqual([
      'InvalidImageError',
      'InvalidImageError',
      'NetworkError',
    ]);
    expect({ billed: billed(prompt), generations: await started(prompt) }).toEqual({
      billed: 2,
      generations: 2,
    });
  });
});

describe('a key that became free', () => {
  it('is not used again by the call itself, but by the next call of the caller', async () => {
    const request = { prompt: `in its own time ${freshKey()}`, idempotencyKey: freshKey() };
    const client = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
    gateway.sandbox.behave(...Array(4).fill({ kind: 'status' as const, status: 503 }));
    const error = await client.generateImage(request).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProviderUnavailableError);
    expect({ calls: calls(request.prompt), generations: await started(request.prompt) }).toEqual({
      calls: 4,
      generations: 1,
    });
    expect(await client.generateImage(request)).toMatchObject({ replayed: false });
    expect(billed(request.prompt)).toBe(1);
  });
});

import { Keyv } from 'keyv';
import { describe, expect, it, vi } from 'vitest';
import { IdempotencyConflictError } from '../../src/errors.ts';
import type { Generation } from '../../src/generation.ts';
import { type IdempotencyOptions, idempotency } from '../../src/middleware/idempotency.ts';
import type { GenerationAnswer, GenerationRequest } from '../../src/middleware/middleware.ts';
import { describeRequestMiddleware } from '../conformance/middleware.ts';
import { makeAnswer, makeGeneration, makeImage, makePrincipal, makeRequest } from '../support/made-up.ts';

describeRequestMiddleware('idempotency', () => idempotency({ cache: new Keyv(), ttlMs: 60_000 }));

/** A middleware in front of a ledger that answers everything with `answer`, and counts. */
function inFrontOf(answer: GenerationAnswer, options: Partial<IdempotencyOptions> = {}) {
  const middleware = idempotency({ cache: new Keyv(), ttlMs: 60_000, ...options });
  let asked = 0;
  return {
    asked: () => asked,
    send: (changes: Partial<GenerationRequest> = {}) =>
      middleware(makeRequest({ idempotencyKey: 'key-1', ...changes }), async () => {
        asked += 1;
        return answer;
      }),
  };
}

const ended = (changes: Partial<Generation>) =>
  makeAnswer({ generation: makeGeneration(changes), image: undefined });

describe('idempotency', () => {
  it('answers a key from memory the second time, as a replay', async () => {
    const { asked, send } = inFrontOf(makeAnswer());
    expect(await send()).toMatchObject({ replayed: false });
    expect(await send()).toEqual(makeAnswer({ replayed: true }));
    expect(asked()).toBe(1);
  });

  it('asks the ledger every time where there is no key', async () => {
    const { asked, send } = inFrontOf(makeAnswer());
    for (let times = 0; times < 2; times++) {
      expect(await send({ idempotencyKey: undefined })).toMatchObject({ replayed: false });
    }
    expect(asked()).toBe(2);
  });

  it('refuses another intent under a remembered key, and asks nobody', async () => {
    const { asked, send } = inFrontOf(makeAnswer());
    await send();
    const refused = send({ prompt: 'something else' });
    await expect(refused).rejects.toThrow(IdempotencyConflictError);
    await expect(refused).rejects.toMatchObject({ existingGeneration: { id: makeGeneration().id } });
    expect(asked()).toBe(1);
  });

  it('keeps clients, keys and ordinals apart, whatever characters are in a key', async () => {
    const { asked, send } = inFrontOf(makeAnswer());
    await send();
    const others: Partial<GenerationRequest>[] = [
      { idempotencyKey: 'key-2' },
      { ordinal: 1 },
      { principal: makePrincipal({ clientId: 'another' }) },
      { idempotencyKey: '",0,"key-1' },
      { idempotencyKey: 'key-1",0' },
      { principal: makePrincipal({ clientId: '' }), idempotencyKey: 'key-1' },
    ];
    for (const other of others) expect(await send(other)).toMatchObject({ replayed: false });
    expect(asked()).toBe(1 + others.length);
  });
});

describe('idempotency: what it remembers', () => {
  it.each<[string, Partial<Generation>]>([
    ['a rejection', { status: 'FAILED' }],
    ['an unknown outcome', { status: 'UNKNOWN' }],
    ['a cancellation after the send', { status: 'CANCELED' }],
  ])('%s that holds its key', async (_name, changes) => {
    const { asked, send } = inFrontOf(ended(changes));
    await send();
    expect(await send()).toMatchObject({ replayed: true, generation: changes, image: undefined });
    expect(asked()).toBe(1);
  });

  it.each<[string, Partial<Generation>]>([
    ['what has not ended', { status: 'QUEUED' }],
    ['what is running', { status: 'RUNNING' }],
    ['what gave its key back', { status: 'FAILED', keyHeld: false }],
  ])('not %s: the ledger decides', async (_name, changes) => {
    const { asked, send } = inFrontOf(ended(changes));
    await send();
    await send();
    expect(asked()).toBe(2);
  });

  it('not an answer with a very long prompt, so that its size is bounded', async () => {
    const long = inFrontOf(makeAnswer({ generation: makeGeneration({ prompt: 'x'.repeat(4_097) }) }));
    await long.send();
    await long.send();
    expect(long.asked()).toBe(2);
    const allowed = inFrontOf(makeAnswer({ generation: makeGeneration({ prompt: 'x'.repeat(4_096) }) }));
    await allowed.send();
    await allowed.send();
    expect(allowed.asked()).toBe(1);
  });

  it('nothing for longer than its time to live', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const { asked, send } = inFrontOf(makeAnswer(), { ttlMs: 1_000 });
      await send();
      vi.setSystemTime(Date.now() + 999);
      await send();
      expect(asked()).toBe(1);
      vi.setSystemTime(Date.now() + 2);
      expect(await send()).toMatchObject({ replayed: false });
      expect(asked()).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('idempotency: its store', () => {
  /** A store that keeps text, as those outside the process do. */
  function createTextStore() {
    const texts = new Map<string, string>();
    return {
      texts,
      get: async (key: string) => texts.get(key),
      set: async (key: string, value: unknown) => {
        texts.set(key, String(value));
        return true;
      },
      delete: async (key: string) => texts.delete(key),
      clear: async () => texts.clear(),
      has: async (key: string) => texts.has(key),
    };
  }

  it('may turn everything into text: dates come back as dates, and what is absent stays absent', async () => {
    const store = createTextStore();
    const image = makeImage({ revisedPrompt: 'a lighthouse at dusk' });
    const answer = makeAnswer({ image, generation: makeGeneration({ startedAt: undefined }) });
    const { asked, send } = inFrontOf(answer, { cache: new Keyv({ store }) });
    await send();
    const replay = await send();
    expect(store.texts.size).toBe(1);
    expect(replay).toEqual({ ...answer, replayed: true });
    expect(replay.generation.createdAt).toBeInstanceOf(Date);
    expect(replay.image?.createdAt).toBeInstanceOf(Date);
    expect(asked()).toBe(1);
  });

  it('may hold something else under the key: it is not taken for an answer', async () => {
    const cache = new Keyv({ store: { ...createTextStore(), get: async () => '{"value":"spoilt"}' } });
    const { asked, send } = inFrontOf(makeAnswer(), { cache });
    expect(await send()).toEqual(makeAnswer());
    expect(asked()).toBe(1);
  });

  it('may hang: it is not waited for, and the ledger answers', async () => {
    const hanging = () => new Promise<never>(() => undefined);
    const cache = new Keyv({ store: { ...createTextStore(), get: hanging, set: hanging } });
    const { asked, send } = inFrontOf(makeAnswer(), { cache });
    expect(await send()).toEqual(makeAnswer());
    expect(await send()).toEqual(makeAnswer());
    expect(asked()).toBe(2);
  });

  it('may fail: every request is then answered by the ledger', async () => {
    const broken = async () => {
      throw new Error('the store is away');
    };
    const cache = new Keyv({ store: { ...createTextStore(), get: broken, set: broken } });
    const errors: unknown[] = [];
    cache.on('error', (error: unknown) => errors.push(error));
    const { asked, send } = inFrontOf(makeAnswer(), { cache });
    expect(await send()).toEqual(makeAnswer());
    expect(await send()).toEqual(makeAnswer());
    expect(asked()).toBe(2);
    expect(errors.length).toBeGreaterThan(0);
  });
});

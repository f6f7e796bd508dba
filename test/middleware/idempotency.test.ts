import { Keyv } from 'keyv';
import { describe, expect, it, vi } from 'vitest';
import { IdempotencyConflictError } from '../../src/errors.ts';
import type { Generation } from '../../src/generation.ts';
import { type IdempotencyOptions, idempotency } from '../../src/middleware/idempotency.ts';
import type { GenerationAnswer, GenerationRequest } from '../../src/middleware/middleware.ts';
import { describeRequestMiddleware } from '../../src/testing/describe-middleware.ts';
import {
  makeAnswer,
  makeGeneration,
  makeImage,
  makePrincipal,
  makeRequest,
  NOON,
} from '../../src/testing/made-up.ts';

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

describe('idempotency: what the ledger removes by age', () => {
  const DAY_MS = 24 * 3600 * 1000;
  const SECOND_MS = 1_000;
  const MINUTE_MS = 60_000;

  /** The ledger's answer ended at NOON; the cache is asked at NOON and so much. */
  function keeping(
    keepDays: { images?: number; records?: number },
    answer = makeAnswer(),
    options: Partial<IdempotencyOptions> = {},
  ) {
    let sinceMs = 0;
    const keepMs = {
      images: keepDays.images === undefined ? undefined : keepDays.images * DAY_MS,
      records: keepDays.records === undefined ? undefined : keepDays.records * DAY_MS,
    };
    const now = () => new Date(NOON.getTime() + sinceMs);
    const ledger = inFrontOf(answer, { ttlMs: 1_000 * DAY_MS, keepMs, now, ...options });
    /** Whether it was answered from memory. */
    async function replays(atMs: number): Promise<boolean> {
      sinceMs = atMs;
      const before = ledger.asked();
      await ledger.send();
      return ledger.asked() === before;
    }
    return { replays };
  }

  it.each([
    ['an image, by the age of images', { images: 7, records: 30 }, makeAnswer(), 7],
    ['an image, by the age of records where that is all', { records: 30 }, makeAnswer(), 30],
    ['a failure, by the age of records', { images: 7, records: 30 }, ended({ status: 'FAILED' }), 30],
  ])('is forgotten before: %s', async (_what, keepDays, answer, days) => {
    const { replays } = keeping(keepDays, answer);
    expect(await replays(0)).toBe(false);
    expect(await replays(days * DAY_MS - 2 * MINUTE_MS)).toBe(true);
    expect(await replays(days * DAY_MS - 30 * SECOND_MS)).toBe(false);
  });

  it('is not remembered anew when it is about to go, or is gone on another replica', async () => {
    const { replays } = keeping({ images: 7 });
    expect(await replays(7 * DAY_MS - 30 * SECOND_MS)).toBe(false);
    expect(await replays(7 * DAY_MS - 30 * SECOND_MS)).toBe(false);
    expect(await replays(8 * DAY_MS)).toBe(false);
    expect(await replays(8 * DAY_MS)).toBe(false);
  });

  it('is remembered for ever where it is kept for ever: a failure, where only images go', async () => {
    const { replays } = keeping({ images: 7 }, ended({ status: 'FAILED' }));
    await replays(0);
    expect(await replays(900 * DAY_MS)).toBe(true);
  });

  it('lives no longer than that in the store, which others share', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOON });
    try {
      const cache = new Keyv();
      await keeping({ images: 7 }, makeAnswer(), { cache }).replays(6 * DAY_MS);
      const other = keeping({}, makeAnswer(), { cache });
      vi.setSystemTime(NOON.getTime() + DAY_MS - 2 * MINUTE_MS);
      expect(await other.replays(0)).toBe(true);
      vi.setSystemTime(NOON.getTime() + DAY_MS - 30 * SECOND_MS);
      expect(await other.replays(0)).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is not believed by a replica whose setting is shorter than that of the one that remembered it', async () => {
    const cache = new Keyv();
    expect(await keeping({}, makeAnswer(), { cache }).replays(0)).toBe(false);
    expect(await keeping({}, makeAnswer(), { cache }).replays(3 * DAY_MS)).toBe(true);
    expect(await keeping({ images: 2 }, makeAnswer(), { cache }).replays(3 * DAY_MS)).toBe(false);
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

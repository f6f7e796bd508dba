import { Keyv } from 'keyv';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { createTestClock } from '../support/test-clock.ts';

const HOUR_MS = 3_600_000;

/** A keyv store that a test can make forget, or fail. */
class FickleStore {
  readonly kept = new Map<string, unknown>();
  mode: 'works' | 'answers undefined' | 'throws' | 'rejects' = 'works';
  hits = 0;

  get(key: string): unknown {
    return this.#whenItWorks(() => {
      if (this.kept.has(key)) this.hits += 1;
      return this.kept.get(key);
    });
  }
  set(key: string, value: unknown): unknown {
    return this.#whenItWorks(() => this.kept.set(key, value) !== undefined);
  }
  delete(key: string): unknown {
    return this.#whenItWorks(() => this.kept.delete(key));
  }
  clear(): void {
    this.kept.clear();
  }
  #whenItWorks(work: () => unknown): unknown {
    if (this.mode === 'works') return work();
    if (this.mode === 'answers undefined') return undefined;
    const error = new Error('The cache is out of order.');
    if (this.mode === 'rejects') return Promise.reject(error);
    throw error;
  }
}

const store = new FickleStore();
const clock = createTestClock();
const pictures = createHeldPictures();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    upstream: { pictures: pictures.paint },
    extensions: { cache: new Keyv({ store }) },
    clock,
  });
});
afterAll(() => gateway.close());
beforeEach(() => {
  store.mode = 'works';
  store.clear();
  store.hits = 0;
});

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);
const arrived = (prompt: string) =>
  gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });

/** One claim, one call. */
async function expectBoughtOnce({ prompt, idempotencyKey }: { prompt: string; idempotencyKey: string }) {
  const text = 'select 1 from generations where idempotency_key = $1';
  expect(await gateway.sql(text, [idempotencyKey])).toHaveLength(1);
  expect(callsFor(prompt)).toHaveLength(1);
}

describe('the idempotency cache', () => {
  it('answers a replay, and the ledger answers the same once the record has expired', async () => {
    const input = { prompt: 'remembered', idempotencyKey: freshKey() };
    const first = await gateway.generateImage(input);
    const cached = await gateway.generateImage(input);
    expect(store.hits).toBe(1);
    store.clear();
    const looked = await gateway.generateImage(input);
    expect(store.hits).toBe(1);
    expect(cached).toEqual({ ...first, replayed: true });
    expect(looked).toEqual(cached);
    await expectBoughtOnce(input);
  });

  it('survives a store that serialises', async () => {
    const input = { prompt: 'remembered as text', idempotencyKey: freshKey() };
    const first = await gateway.generateImage(input);
    for (const [key, value] of store.kept) store.kept.set(key, JSON.parse(JSON.stringify(value)));
    expect(await gateway.generateImage(input)).toEqual({ ...first, replayed: true });
    expect(store.hits).toBe(1);
  });

  it('loses its records while a call is in flight: no second claim', async () => {
    const input = { prompt: 'forgotten in flight', idempotencyKey: freshKey() };
    pictures.hold(input.prompt);
    const first = gateway.generateImage(input);
    await arrived(input.prompt);
    store.clear();
    const joining = gateway.generateImage(input);
    pictures.release();
    const [made, joined] = await Promise.all([first, joining]);
    expect(joined).toEqual({ ...made, replayed: true });
    await expectBoughtOnce(input);
  });

  it.each(['answers undefined', 'throws', 'rejects'] as const)(
    'only remembers: when its store %s, no key is bought twice and nobody is refused',
    async (mode) => {
      const input = { prompt: `with a store that ${mode}`, idempotencyKey: freshKey() };
      store.mode = mode;
      const [first, second] = await Promise.all([gateway.generateImage(input), gateway.generateImage(input)]);
      const third = await gateway.generateImage(input);
      const ids = [first, second, third].map(({ image }) => image?.id);
      expect(first.__typename).toBe('GenerateImageSuccess');
      expect(new Set(ids).size).toBe(1);
      expect(third.replayed).toBe(true);
      const changed = await gateway.generateImage({ ...input, prompt: 'something else' });
      expect(changed.__typename).toBe('IdempotencyConflictError');
      await expectBoughtOnce(input);
    },
  );
});

describe('a clock that jumps an hour', () => {
  it('lets nobody claim again, in flight or after', async () => {
    const input = { prompt: 'an hour passes', idempotencyKey: freshKey() };
    pictures.hold(input.prompt);
    const first = gateway.generateImage(input);
    await arrived(input.prompt);
    clock.jump(HOUR_MS);
    const joining = gateway.generateImage(input);
    pictures.release();
    const [made, joined] = await Promise.all([first, joining]);
    expect(made.__typename).toBe('GenerateImageSuccess');
    clock.jump(HOUR_MS);
    const after = await gateway.generateImage(input);
    expect([joined, after].map(({ image }) => image?.id)).toEqual([made.image?.id, made.image?.id]);
    await expectBoughtOnce(input);
  });
});

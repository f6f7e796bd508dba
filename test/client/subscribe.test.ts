import { describe, expect, it } from 'vitest';
import { NetworkError } from '../../src/client/index.ts';
import { limited } from '../../src/client/limited.ts';
import { WatchGenerationDocument } from '../../src/client/operations.generated.ts';
import { createSubscribe } from '../../src/client/subscribe.ts';

const STATE = 'event: next\ndata: {"data":{"generationUpdated":{"id":"1"}}}\n\n';
const PING = ':\n\n';

/** A subscription whose answer has these texts, and then says nothing for ever. */
function subscriptionTo(texts: readonly string[], limits: { firstEventMs?: number; silenceMs?: number }) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const text of texts) controller.enqueue(new TextEncoder().encode(text));
    },
  });
  const subscribe = createSubscribe({
    endpoint: 'http://gateway/graphql',
    fetch: async (_input, init) => {
      const { signal } = init ?? {};
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        start: (controller) => signal?.addEventListener('abort', () => controller.error(signal.reason)),
      });
      const headers = { 'content-type': 'text/event-stream' };
      return new Response(body.pipeThrough(cut), { headers });
    },
    headers: async () => ({}),
    now: Date.now,
    ...limits,
  });
  return (maxMs: number) => subscribe(WatchGenerationDocument, { id: '1' }, { signal: undefined, maxMs });
}

const HOUR_MS = 3_600_000;

describe('a subscription', () => {
  it('is given up where no event comes through, signs of life or not', async () => {
    for (const texts of [[], [PING, PING]]) {
      const events = Array.fromAsync(subscriptionTo(texts, { firstEventMs: 30 })(HOUR_MS));
      await expect(events).rejects.toBeInstanceOf(NetworkError);
    }
  });

  it('is given up after a silence', async () => {
    const told: string[] = [];
    const read = async () => {
      const events = subscriptionTo([STATE, PING], { firstEventMs: HOUR_MS, silenceMs: 30 })(HOUR_MS);
      for await (const { generationUpdated } of events) told.push(generationUpdated.id);
    };
    await expect(read()).rejects.toBeInstanceOf(NetworkError);
    expect(told).toEqual(['1']);
  });

  it('stays open no longer than it may', async () => {
    const limits = { firstEventMs: HOUR_MS, silenceMs: HOUR_MS };
    await expect(Array.fromAsync(subscriptionTo([STATE], limits)(30))).rejects.toBeInstanceOf(NetworkError);
  });

  it('ends in good order with complete', async () => {
    const texts = [STATE, 'event: complete\ndata:\n\n'];
    expect(await Array.fromAsync(subscriptionTo(texts, {})(HOUR_MS))).toHaveLength(1);
  });
});

describe('a request', () => {
  it('that is never answered is given up', async () => {
    const never = limited(
      undefined,
      30,
      ({ signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    await expect(never).rejects.toBeInstanceOf(NetworkError);
  });
});

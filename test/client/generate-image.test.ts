import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type Generation, type GessoClient } from '../../src/client/index.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let client: GessoClient;
beforeAll(async () => {
  gateway = await startTestGateway();
  client = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
});
afterAll(() => gateway.close());

const billed = (prompt: string) => gateway.sandbox.journal.billed((entry) => entry.prompt === prompt).length;

/** A fetch that counts what was asked for, by the name of the operation or `events`. */
function counting(answer: typeof fetch = fetch) {
  const asked: string[] = [];
  const counted: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    const [, name = ''] = /(?:query|mutation|subscription) (\w+)/.exec(String(init?.body)) ?? [];
    asked.push(headers.get('accept') === 'text/event-stream' ? 'events' : name);
    return answer(input, init);
  };
  return { asked, fetch: counted, count: (name: string) => asked.filter((one) => one === name).length };
}
const isEvents = (init: RequestInit | undefined) =>
  new Headers(init?.headers).get('accept') === 'text/event-stream';
/** No poll waits. */
const hurried = { now: Date.now, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) };

describe('generateImage', () => {
  it('tells how the generation goes', async () => {
    gateway.sandbox.behave({ kind: 'status', status: 503 }, { kind: 'normal', delayMs: 1_000 });
    const told: Generation[] = [];
    const image = await client.generateImage(
      { prompt: 'Slow and steady' },
      { onProgress: (generation) => void told.push(generation) },
    );
    const outcomes = told.map(({ status, attempts }) => [status, ...attempts.map(({ outcome }) => outcome)]);
    expect(outcomes.at(-1)).toEqual(['SUCCEEDED', 'NOT_ACCEPTED', 'SUCCEEDED']);
    expect(outcomes).toContainEqual(['RUNNING', 'NOT_ACCEPTED', 'PENDING']);
    expect(new Set(told.map(({ id }) => id))).toEqual(new Set([image.generation.id]));
    expect(told[0]?.idempotencyKey).toBe(image.idempotencyKey);
    // No state twice.
    expect(new Set(outcomes.map(String)).size).toBe(outcomes.length);
  });

  it('asks again when the wait of one request is over, until the generation ends', async () => {
    const prompt = 'Longer than a request';
    gateway.sandbox.behave({ kind: 'normal', delayMs: 2_000 });
    const { fetch, count } = counting();
    const impatient = createClient({ url: gateway.url, apiKey: ADMIN_KEY, waitSeconds: 0.15, fetch });
    await impatient.generateImage({ prompt });
    expect(count('events')).toBeGreaterThan(1);
    expect(count('StartGeneration')).toBe(1);
    expect(billed(prompt)).toBe(1);
  });

  it('only asks now and then with waitSeconds 0', async () => {
    gateway.sandbox.behave({ kind: 'normal', delayMs: 1_000 });
    const { fetch, count } = counting();
    const polling = createClient({ url: gateway.url, apiKey: ADMIN_KEY, waitSeconds: 0, fetch });
    await polling.generateImage({ prompt: 'By and by' });
    expect(count('events')).toBe(0);
    expect(count('Generation')).toBeGreaterThan(0);
  });

  it.each<[string, () => Promise<Response>]>([
    ['is refused', async () => new Response('', { status: 405 })],
    [
      'is answered by a page',
      async () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    ],
    ['breaks off', async () => eventStream((controller) => controller.close())],
    ['is garbled', async () => eventStream(({ enqueue }) => enqueue('event: next\ndata: {"data":\n\n'))],
    [
      'says that there are too many',
      async () =>
        eventStream(({ enqueue }) => enqueue('event: next\ndata: {"errors":[{"message":"no"}]}\n\n')),
    ],
  ])('goes on where the stream of events %s', async (_name, answer) => {
    const prompt = `Without events ${freshKey()}`;
    gateway.sandbox.behave({ kind: 'normal', delayMs: 100 });
    const without = createClient({
      url: gateway.url,
      apiKey: ADMIN_KEY,
      clock: hurried,
      fetch: (input, init) => (isEvents(init) ? answer() : fetch(input, init)),
    });
    const told: string[] = [];
    const image = await without.generateImage(
      { prompt },
      { onProgress: ({ status }) => void told.push(status) },
    );
    expect(image.generation.status).toBe('SUCCEEDED');
    expect(told.at(-1)).toBe('SUCCEEDED');
    expect(billed(prompt)).toBe(1);
  });

  it('hands on what onProgress throws, with the key; the image is made all the same', async () => {
    const cause = new Error('of the caller');
    const failing = client.generateImage(
      { prompt: 'Not its fault' },
      {
        onProgress() {
          throw cause;
        },
      },
    );
    const error = await failing.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'CallbackError', cause, idempotencyKey: expect.any(String) });
    const { idempotencyKey } = error as { idempotencyKey: string };
    expect((await client.generateImage({ prompt: 'Not its fault', idempotencyKey })).replayed).toBe(true);
    expect(billed('Not its fault')).toBe(1);
  });

  it('makes a key where the platform has no randomUUID, as on pages without HTTPS', async () => {
    const { randomUUID } = globalThis.crypto;
    Object.assign(globalThis.crypto, { randomUUID: undefined });
    try {
      const keys = await Promise.all(
        ['one', 'two'].map(async (prompt) => (await client.generateImage({ prompt })).idempotencyKey),
      );
      expect(new Set(keys).size).toBe(2);
      for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
    } finally {
      Object.assign(globalThis.crypto, { randomUUID });
    }
  });
});

describe('generateImages', () => {
  it('keeps the paid ones when another fails, in order', async () => {
    const prompt = 'Three of a kind';
    let calls = 0;
    gateway.sandbox.behaveAlways((request) =>
      request.prompt === prompt && ++calls === 2 ? { kind: 'status', status: 400, code: 'no' } : undefined,
    );
    const told = new Set<number>();
    const request = { prompt, count: 3, idempotencyKey: freshKey() };
    const results = await client.generateImages(request, {
      onProgress: (_generation, index) => void told.add(index),
    });
    gateway.sandbox.behaveAlways(undefined);
    expect(results.filter(({ ok }) => ok)).toHaveLength(2);
    const [failed] = results.filter((result) => !result.ok);
    expect(failed).toMatchObject({
      error: { name: 'ProviderRejectedError', idempotencyKey: request.idempotencyKey },
    });
    expect(told).toEqual(new Set([0, 1, 2]));

    const again = await client.generateImages(request);
    const idsOf = (list: typeof results) => list.map((result) => (result.ok ? result.image.id : 'failed'));
    expect(idsOf(again)).toEqual(idsOf(results));
    expect(again.every((result) => !result.ok || result.image.replayed)).toBe(true);
    expect(billed(prompt)).toBe(2);
  });

  it('gives each its own error where the day has not quota enough', async () => {
    const { key } = await gateway.createClient('rationed', ['images:generate'], 2);
    const rationed = createClient({ url: gateway.url, apiKey: key });
    const results = await rationed.generateImages({ prompt: 'One too many', count: 3 });
    expect(results.map((result) => (result.ok ? 'image' : result.error.name)).sort()).toEqual([
      'QuotaExceededError',
      'image',
      'image',
    ]);
  });
});

describe('startGeneration', () => {
  it('does not wait, and its generation can be watched and waited for', async () => {
    gateway.sandbox.behave({ kind: 'normal', delayMs: 200 });
    const started = await client.startGeneration({ prompt: 'In the background' });
    expect(started.finishedAt).toBeUndefined();
    const [watched, image] = await Promise.all([
      Array.fromAsync(client.watchGeneration(started.id)),
      client.waitForGeneration(started.id),
    ]);
    expect(watched.at(-1)).toMatchObject({ status: 'SUCCEEDED', image: { id: image.id } });
    // The current state comes first, also when it is the last.
    const late = await Array.fromAsync(client.watchGeneration(started.id));
    expect(late.map(({ status }) => status)).toEqual(['SUCCEEDED']);
  });
});

/** An answer of server-sent events. */
function eventStream(
  write: (controller: { enqueue: (text: string) => void; close: () => void }) => void,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      write({ enqueue: (text) => controller.enqueue(encoder.encode(text)), close: () => controller.close() });
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

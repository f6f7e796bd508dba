import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AbortedError,
  type CallOptions,
  createClient,
  type GeneratedImage,
  type GessoClient,
  type TypedDocumentNode,
} from '../../src/client/index.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let client: GessoClient;
let image: GeneratedImage;
beforeAll(async () => {
  gateway = await startTestGateway();
  client = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
  image = await client.generateImage({ prompt: 'There already' });
});
afterAll(() => gateway.close());

type Call = (client: GessoClient, image: GeneratedImage, options: CallOptions) => Promise<unknown>;
const calls: Record<string, Call> = {
  generateImage: (sdk, _image, options) => sdk.generateImage({ prompt: 'x' }, options),
  generateImages: (sdk, _image, options) => sdk.generateImages({ prompt: 'x', count: 2 }, options),
  startGeneration: (sdk, _image, options) => sdk.startGeneration({ prompt: 'x' }, options),
  cancelGeneration: (sdk, { generation }, options) => sdk.cancelGeneration(generation.id, options),
  waitForGeneration: (sdk, { generation }, options) => sdk.waitForGeneration(generation.id, options),
  watchGeneration: (sdk, { generation }, options) =>
    Array.fromAsync(sdk.watchGeneration(generation.id, options)),
  generation: (sdk, { generation }, options) => sdk.generation(generation.id, options),
  generations: (sdk, _image, options) => Array.fromAsync(sdk.generations({}, options)),
  auditEvents: (sdk, _image, options) => Array.fromAsync(sdk.auditEvents({}, options)),
  image: (sdk, { id }, options) => sdk.image(id, options),
  viewer: (sdk, _image, options) => sdk.viewer(options),
  providers: (sdk, _image, options) => sdk.providers(options),
  request: (sdk, _image, options) =>
    sdk.request(parse('{ __typename }') as TypedDocumentNode<unknown, Record<string, never>>, {}, options),
  'image.bytes': (_sdk, own, options) => own.bytes(options),
  'image.save': (_sdk, own, options) => own.save('/nowhere/at/all.png', options),
  'image.rendition': (_sdk, own, options) => own.rendition({ maxWidth: 10 }, options),
};

describe.each(Object.entries(calls))('%s', (_name, call) => {
  it('is not begun by a signal that was aborted before', async () => {
    const reason = new Error('changed my mind');
    const error = await call(client, image, { signal: AbortSignal.abort(reason) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(AbortedError);
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORTED', cause: reason });
  });

  it('ends when the signal is aborted while it waits for the gateway', async () => {
    const controller = new AbortController();
    const reason = new Error('too long');
    let isSilent = false;
    let sent = 0;
    const sdk = createClient({
      url: gateway.url,
      apiKey: ADMIN_KEY,
      fetch(input, init) {
        if (!isSilent) return fetch(input, init);
        sent += 1;
        queueMicrotask(() => controller.abort(reason));
        // As of a server that takes everything and answers nothing.
        return new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        });
      },
    });
    const own = (await sdk.image(image.id)) as GeneratedImage;
    isSilent = true;
    const error = await call(sdk, own, { signal: controller.signal }).catch((thrown: unknown) => thrown);
    expect(sent).toBe(1);
    expect(error).toBeInstanceOf(AbortedError);
    expect(error).toMatchObject({ cause: reason });
  });
});

describe('an abort in the middle', () => {
  it('leaves the generation to the gateway, and tells the key and the generation', async () => {
    const controller = new AbortController();
    const prompt = `left behind ${freshKey()}`;
    gateway.sandbox.behave({ kind: 'normal', delayMs: 2_000 });
    const call = client.generateImage(
      { prompt },
      {
        signal: controller.signal,
        onProgress: ({ attempts }) => {
          if (attempts.length > 0) controller.abort();
        },
      },
    );
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AbortedError);
    const { idempotencyKey, generation, cause } = error as AbortedError;
    expect(cause).toBe(controller.signal.reason);
    expect(generation).toMatchObject({ prompt, idempotencyKey, status: 'RUNNING' });

    const later = await client.generateImage({ prompt, idempotencyKey });
    expect(later).toMatchObject({ replayed: true, generation: { id: generation?.id } });
    expect(gateway.sandbox.journal.billed((entry) => entry.prompt === prompt)).toHaveLength(1);
  });

  it('ends the wait before another try', async () => {
    const controller = new AbortController();
    const away = createClient({
      url: gateway.url,
      fetch: () => Promise.reject(new TypeError('fetch failed')),
    });
    const call = away.generateImage(
      { prompt: 'x', idempotencyKey: 'mine' },
      { signal: controller.signal, onRetry: () => controller.abort() },
    );
    await expect(call).rejects.toMatchObject({ name: 'AbortError', idempotencyKey: 'mine' });
  });

  it('ends a watch, and so does who stops reading', async () => {
    gateway.sandbox.behave({ kind: 'hang', at: 'before-accept' });
    const { id } = await client.startGeneration({ prompt: 'watched in vain' });
    const controller = new AbortController();
    const watch = async () => {
      for await (const { status } of client.watchGeneration(id, { signal: controller.signal })) {
        if (status === 'RUNNING') controller.abort();
      }
    };
    await expect(watch()).rejects.toBeInstanceOf(AbortedError);
    for await (const generation of client.watchGeneration(id)) {
      expect(generation.id).toBe(id);
      break;
    }
    await client.cancelGeneration(id);
  });
});

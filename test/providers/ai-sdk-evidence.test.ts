import { gzipSync } from 'node:zlib';
import { APICallError, type ImageModelV4, InvalidArgumentError, LoadAPIKeyError } from '@ai-sdk/provider';
import { afterEach, describe, expect, it } from 'vitest';
import { InvalidPictureError } from '../../src/errors.ts';
import type { AiSdkOptions } from '../../src/providers/ai-sdk.ts';
import { answering } from '../../src/testing/upstream.ts';
import { bodiesOf, createBench, drawn, failure, generate, handMade, PNG, post } from './ai-sdk-hand-made.ts';
import { vendorOf } from './ai-sdk-vendors.ts';

const { start, providerOf, close } = createBench();
afterEach(close);

describe('an error that sounds as if nothing had been sent', () => {
  const errors: [string, () => Error][] = [
    ['a header that can’t be sent', () => new TypeError('Headers.append: "x" is an invalid header value.')],
    ['an argument', () => new InvalidArgumentError({ argument: 'poll', message: 'Wrong.' })],
    ['a key that is missing, in the words of a vendor', () => new Error('API key is missing')],
  ];
  it.each(errors)('is not believed after a paid call: %s', async (_name, error) => {
    const upstream = await start(drawn);
    const failing = (fetch: typeof globalThis.fetch, passOn: boolean): ImageModelV4 =>
      handMade(async ({ prompt, abortSignal }) => {
        await post(fetch, upstream.url, prompt, passOn ? abortSignal : undefined);
        throw error();
      });
    const models: AiSdkOptions['model'][] = [
      ({ fetch }) => failing(fetch, true),
      ({ fetch }) => failing(fetch, false),
      failing(globalThis.fetch, true),
    ];
    for (const model of models) {
      expect(await failure(providerOf(model))).toMatchObject({ outcome: 'UNKNOWN' });
    }
    expect(upstream.requests).toHaveLength(3);
  });

  it('is not believed of a poll by our own fetch', async () => {
    const upstream = await start(drawn);
    const provider = providerOf(({ fetch }) =>
      handMade(async ({ prompt, abortSignal }) => {
        const result = await post(fetch, upstream.url, prompt, abortSignal);
        await fetch(upstream.url, { headers: { 'x-poll': 'bad\nvalue' }, signal: abortSignal ?? null });
        return result;
      }),
    );
    expect(await failure(provider)).toMatchObject({ outcome: 'UNKNOWN' });
  });

  it('is believed of a key that a model made already does not find: it looks before it calls', async () => {
    const model = handMade(async () => {
      throw new LoadAPIKeyError({ message: 'The key is missing.' });
    });
    expect(await failure(providerOf(model))).toMatchObject({ outcome: 'REJECTED', rejection: 'OPERATOR' });
  });
});

describe('the call that holds the prompt', () => {
  it('is not a poll that holds its letters', async () => {
    const model = handMade(async () => {
      throw new APICallError({
        message: 'Slow down.',
        url: 'http://127.0.0.1/poll',
        requestBodyValues: { task: 'a1b2' },
        statusCode: 429,
        responseBody: '{}',
      });
    });
    expect(await failure(providerOf(model), 'a')).toMatchObject({ outcome: 'UNKNOWN', httpStatus: 429 });
  });

  it('goes out once; a poll by POST may be repeated, whatever letters it holds', async () => {
    const upstream = await start(drawn);
    const provider = providerOf(({ fetch }) =>
      handMade(async ({ prompt, abortSignal }) => {
        const poll = () =>
          fetch(upstream.url, { method: 'POST', body: '{"task":"a1b2"}', signal: abortSignal ?? null });
        await poll();
        await poll();
        await post(fetch, upstream.url, prompt, abortSignal);
        return post(fetch, upstream.url, prompt, abortSignal);
      }),
    );
    expect(await failure(provider, 'a')).toMatchObject({ outcome: 'UNKNOWN' });
    expect(bodiesOf(upstream)).toEqual(['{"task":"a1b2"}', '{"task":"a1b2"}', '{"prompt":"a"}']);
  });
});

describe('what an answer may do', () => {
  it.each([301, 302, 303, 307, 308])(
    'a redirect of a paid call, %i, may say that it was done',
    async (status) => {
      const redirect = answering({ status, headers: { location: '/jobs/1' }, body: Buffer.alloc(0) });
      const seen = await start(redirect);
      const provider = providerOf(({ fetch }) => vendorOf('fal').model(seen.url, fetch));
      expect(await failure(provider)).toMatchObject({ outcome: 'UNKNOWN', httpStatus: status });
      expect(seen.requests).toHaveLength(1);
    },
  );

  it('is not to name a host inside of our network for a POST', async () => {
    const inside = await start(drawn);
    const upstream = await start(drawn);
    for (const passOn of [true, false]) {
      const provider = providerOf(({ fetch }) =>
        handMade(async ({ prompt, abortSignal }) => {
          const signal = passOn ? abortSignal : undefined;
          await post(fetch, upstream.url, prompt, signal);
          return post(fetch, inside.url, 'named by the answer', signal);
        }),
      );
      expect(await failure(provider)).toMatchObject({ outcome: 'UNKNOWN' });
    }
    expect(upstream.requests).toHaveLength(2);
    expect(inside.requests).toEqual([]);
  });

  it('is not to fill the memory by a body that is compressed, though one is read', async () => {
    const zipped = (body: Buffer) =>
      answering({ status: 200, headers: { 'content-encoding': 'gzip' }, body: gzipSync(body) });
    const limits = { maxBodyBytes: 1_000_000 };
    const modelOf =
      (url: string): AiSdkOptions['model'] =>
      ({ fetch }) =>
        handMade(({ prompt, abortSignal }) => post(fetch, url, prompt, abortSignal));
    const honest = providerOf(modelOf((await start(zipped(PNG))).url), { limits });
    expect((await generate(honest)).equals(PNG)).toBe(true);

    const bomb = providerOf(modelOf((await start(zipped(Buffer.alloc(50_000_000)))).url), { limits });
    expect(await failure(bomb)).toBeInstanceOf(InvalidPictureError);
  });
});

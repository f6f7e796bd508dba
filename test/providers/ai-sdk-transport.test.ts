import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { createBlackForestLabs } from '@ai-sdk/black-forest-labs';
import type { ImageModelV4 } from '@ai-sdk/provider';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderFailure } from '../../src/errors.ts';
import { type AiSdkOptions, aiSdk } from '../../src/providers/ai-sdk.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { answering, failureOf, readAll } from '../../src/testing/upstream.ts';
import { API_KEY, json, type RunningVendor, type Script, startVendor, vendorOf } from './ai-sdk-vendors.ts';

const PNG = plainPicture({ width: 1024, height: 1024 });
const REQUEST = { prompt: 'a gesso ground', size: '1024x1024' } as const;

const open: (RunningVendor | Provider)[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
async function startNamed(name: string, script: Script = {}) {
  const vendor = vendorOf(name);
  const upstream = await startVendor(vendor, { picture: PNG, ...script });
  open.push(upstream);
  return { vendor, upstream };
}
function providerOf(options: Pick<AiSdkOptions, 'model'> & Partial<AiSdkOptions>): Provider {
  const provider = aiSdk({ name: 'test', sizes: ['1024x1024'], canvas: 'size', ...options });
  open.push(provider);
  return provider;
}
const call = (provider: Provider, signal = new AbortController().signal) =>
  provider.generate(REQUEST, { signal, requestId: 'request-1' });
const failure = async (provider: Provider) => (await failureOf(call(provider))) as ProviderFailure;

/** An address that nobody listens at. */
async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

describe('a model that is made with our fetch', () => {
  it('lets it be known that nothing was sent', async () => {
    const url = await deadUrl();
    const provider = providerOf({ model: ({ fetch }) => vendorOf('fal').model(url, fetch) });
    expect(await failure(provider)).toMatchObject({ outcome: 'NOT_ACCEPTED', providerCode: 'ECONNREFUSED' });
  });

  it('sends nothing twice, though the standard has fetch do so after 421', async () => {
    const { vendor, upstream } = await startNamed('fal', { submit: answering(json(421, {})) });
    const provider = providerOf({ model: ({ fetch }) => vendor.model(upstream.url, fetch) });
    expect(await failure(provider)).toMatchObject({ outcome: 'REJECTED', rejection: 'OPERATOR' });
    expect(upstream.requests).toHaveLength(1);
  });

  it('sends nothing twice, though a package tries again by itself', async () => {
    const { vendor, upstream } = await startNamed('fal', { submit: answering(json(500, {})) });
    const model: AiSdkOptions['model'] = ({ fetch }) => {
      const inner = vendor.model(upstream.url, fetch) as ImageModelV4;
      return {
        ...inner,
        specificationVersion: 'v4',
        modelId: inner.modelId,
        provider: inner.provider,
        doGenerate: async (options) => {
          const first = inner.doGenerate(options);
          return Promise.resolve(first).catch(() => inner.doGenerate(options));
        },
      };
    };
    expect(await failure(providerOf({ model }))).toMatchObject({ outcome: 'UNKNOWN', httpStatus: 500 });
    expect(upstream.requests).toHaveLength(1);
  });

  it('is ended in the middle of an answer', async () => {
    const whole = vendorOf('openai').submitted('', PNG);
    const { vendor, upstream } = await startNamed('openai', {
      submit: (_request, response) => {
        response.writeHead(200, whole.headers).write(whole.body.subarray(0, 300));
      },
    });
    const provider = providerOf({ model: ({ fetch }) => vendor.model(upstream.url, fetch) });
    const controller = new AbortController();
    const failed = failureOf(call(provider, controller.signal));
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    controller.abort(new Error('The deadline passed.'));
    expect(await failed).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'ABORTED' });
    await upstream.requests[0]?.closed;
  });

  it('shows no key, though the vendor repeats it', async () => {
    const { vendor, upstream } = await startNamed('black-forest-labs', {
      submit: answering(json(403, { detail: `Not authenticated: ${API_KEY}` })),
    });
    const provider = providerOf({ model: ({ fetch }) => vendor.model(upstream.url, fetch) });
    const error = await failure(provider);
    expect(error.message).toContain('Not authenticated: [redacted]');
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(API_KEY);
  });

  it('fetches no picture from a host inside of our network, by address or by name', async () => {
    const inside = await startNamed('fal');
    const { port } = new URL(inside.upstream.url);
    for (const host of ['127.0.0.1', '[::1]', 'pictures.example']) {
      const { vendor, upstream } = await startNamed('fal', {
        submit: answering(json(200, { images: [{ url: `http://${host}:${port}/pictures/1.png` }] })),
      });
      const provider = providerOf({
        model: ({ fetch }) => vendor.model(upstream.url, fetch),
        lookup: async () => ['127.0.0.1'],
      });
      expect(await failure(provider)).toMatchObject({ outcome: 'UNKNOWN' });
    }
    expect(inside.upstream.requests).toEqual([]);
  });

  it('fetches none there for a package that does not look at addresses itself', async () => {
    const inside = await startNamed('fal');
    const { upstream } = await startNamed('fal');
    const trusting: AiSdkOptions['model'] = ({ fetch }) => ({
      specificationVersion: 'v4',
      provider: 'test.image',
      modelId: 'test-1',
      maxImagesPerCall: 1,
      async doGenerate({ prompt, abortSignal }) {
        const init = { signal: abortSignal ?? null };
        await fetch(upstream.url, { ...init, method: 'POST', body: String(prompt) });
        const picture = await fetch(`${inside.upstream.url}/pictures/1.png`, init);
        return {
          images: [new Uint8Array(await picture.arrayBuffer())],
          warnings: [],
          response: { timestamp: new Date(), modelId: 'test-1', headers: undefined },
        };
      },
    });
    expect(await failure(providerOf({ model: trusting }))).toMatchObject({ outcome: 'UNKNOWN' });
    expect(upstream.paidCalls()).toHaveLength(1);
    expect(inside.upstream.requests).toEqual([]);
  });

  it('is polled longer than its package would by itself, unless the operator says how long', async () => {
    const impatient = (url: string, providerOptions: AiSdkOptions['providerOptions'] = {}) =>
      providerOf({
        ...vendorOf('black-forest-labs').options,
        providerOptions,
        model: ({ fetch }) =>
          createBlackForestLabs({
            apiKey: API_KEY,
            baseURL: `${url}/v1`,
            fetch,
            pollIntervalMillis: 5,
            // One poll; the picture is there at the third.
            pollTimeoutMillis: 5,
          }).image('flux-pro-1.1'),
      });
    const patient = await startNamed('black-forest-labs');
    const answer = await call(impatient(patient.upstream.url));
    expect((await readAll(answer.picture)).equals(PNG)).toBe(true);

    const { upstream } = await startNamed('black-forest-labs');
    const limited = impatient(upstream.url, { blackForestLabs: { pollTimeoutMillis: 10 } });
    expect(await failure(limited)).toMatchObject({ outcome: 'UNKNOWN' });
    expect(upstream.polls()).toBe(2);
  });

  it('lets go of the signal, however the call ended', async () => {
    const { vendor, upstream } = await startNamed('replicate');
    const provider = providerOf({
      ...vendor.options,
      model: ({ fetch }) => vendor.model(upstream.url, fetch),
    });
    const { signal } = new AbortController();
    await readAll((await call(provider, signal)).picture);
    await upstream.close();
    await failureOf(call(provider, signal));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a model that was made already', () => {
  it('leaves unknown what the transport did: it was not seen', async () => {
    const provider = providerOf({ model: vendorOf('fal').model(await deadUrl()) });
    expect(await failure(provider)).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'ECONNREFUSED' });
  });

  it.each([
    [401, 'REJECTED', 'OPERATOR'],
    [422, 'REJECTED', 'REQUEST'],
    [429, 'NOT_ACCEPTED', undefined],
    [500, 'UNKNOWN', undefined],
    [503, 'NOT_ACCEPTED', undefined],
  ])('is believed when the paid call itself is answered %i: %s (%s)', async (status, outcome, rejection) => {
    const { vendor, upstream } = await startNamed('replicate', {
      submit: answering(json(status, { detail: 'No.' })),
    });
    const provider = providerOf({ ...vendor.options, model: vendor.model(upstream.url) });
    expect(await failure(provider)).toMatchObject({ outcome, rejection, httpStatus: status });
  });

  it('is not believed when a poll or the picture is answered 503 or 404', async () => {
    for (const status of [404, 503]) {
      for (const script of [
        { poll: answering(json(status, {})) },
        { download: answering(json(status, {})) },
      ]) {
        const { vendor, upstream } = await startNamed('replicate', script);
        const provider = providerOf({ ...vendor.options, model: vendor.model(upstream.url) });
        expect(await failure(provider)).toMatchObject({ outcome: 'UNKNOWN' });
      }
    }
  });

  it('shows nothing of what the vendor says: its key is not known, and may be in it', async () => {
    const { vendor, upstream } = await startNamed('replicate', {
      submit: answering(json(401, { detail: `Wrong token ${API_KEY}` })),
    });
    const provider = providerOf({ ...vendor.options, model: vendor.model(upstream.url) });
    const error = await failure(provider);
    expect(error.message).toBe('test: rejected, status 401 (AI_APICallError)');
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(API_KEY);
  });

  it('brings its picture all the same', async () => {
    const { vendor, upstream } = await startNamed('luma');
    const provider = providerOf({ ...vendor.options, model: vendor.model(upstream.url) });
    expect((await readAll((await call(provider)).picture)).equals(PNG)).toBe(true);
  });
});

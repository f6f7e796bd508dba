import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { defineConfig } from '../../src/plugin.ts';
import { aiSdk } from '../../src/providers/ai-sdk.ts';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { answering, startUpstream, type Upstream } from '../../src/testing/upstream.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createQueue, handMade, post } from './ai-sdk-hand-made.ts';
import { json, type RunningVendor, type Script, startVendor, vendorOf } from './ai-sdk-vendors.ts';

const PNG = plainPicture({ width: 1024, height: 1024 });

const running: { gateway: TestGateway; upstream: RunningVendor | Upstream }[] = [];
afterEach(async () => {
  for (const { gateway, upstream } of running.splice(0)) {
    await gateway.close();
    await upstream.close();
  }
});
/** A whole gateway whose one plug-in is a model of the AI SDK. */
async function start(name: string, script: Script) {
  const vendor = vendorOf(name);
  const upstream = await startVendor(vendor, { picture: PNG, ...script });
  const model = aiSdk({
    name: 'painter',
    model: ({ fetch }) => vendor.model(upstream.url, fetch),
    ...vendor.options,
  });
  const gateway = await startTestGateway({
    extensions: defineConfig({ plugins: [{ name: 'painter', providers: [model] }] }),
  });
  running.push({ gateway, upstream });
  const generate = (delivery: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE') =>
    gateway.generateImage({
      prompt: 'a gesso ground',
      size: 'SQUARE_1024X1024',
      provider: 'painter',
      delivery,
      idempotencyKey: freshKey(),
    });
  return { gateway, upstream, generate };
}

describe('a gateway whose provider is a model of the AI SDK', () => {
  it('stores its JPEG as PNG, and logs that it was converted', async () => {
    const jpeg = await sharp(PNG).jpeg().toBuffer();
    const { gateway, upstream, generate } = await start('replicate', { picture: jpeg });
    const result = await generate('AT_MOST_ONCE');
    expect(result).toMatchObject({
      __typename: 'GenerateImageSuccess',
      image: { width: 1024, height: 1024 },
      generation: { attempts: [{ outcome: 'SUCCEEDED', httpStatus: 200 }] },
    });
    const stored = await fetch(String(result.image?.url));
    expect(await sharp(await stored.arrayBuffer()).metadata()).toMatchObject({ format: 'png', width: 1024 });
    expect(upstream.paidCalls()).toHaveLength(1);
    expect(gateway.logLines.find((line) => line.includes('converted to PNG'))).toContain('attemptId');
  });

  it('tries again where the paid call was not accepted', async () => {
    let calls = 0;
    const { upstream, generate } = await start('luma', {
      submit: (request, response) => {
        calls += 1;
        const { submitted } = vendorOf('luma');
        return answering(calls < 3 ? json(429, { detail: 'Later.' }) : submitted('', PNG))(request, response);
      },
    });
    expect(await generate('AT_MOST_ONCE')).toMatchObject({
      __typename: 'GenerateImageSuccess',
      generation: {
        attempts: [{ outcome: 'NOT_ACCEPTED' }, { outcome: 'NOT_ACCEPTED' }, { outcome: 'SUCCEEDED' }],
      },
    });
    expect(upstream.paidCalls()).toHaveLength(3);
  });

  it('does not pay again, at most once, where a poll of an accepted job fails', async () => {
    const { upstream, generate } = await start('replicate', {
      poll: answering(json(503, { detail: 'Unavailable.' })),
    });
    expect(await generate('AT_MOST_ONCE')).toMatchObject({
      __typename: 'OutcomeUnknownError',
      generation: { status: 'UNKNOWN', attempts: [{ outcome: 'UNKNOWN', httpStatus: 503 }] },
    });
    expect(upstream.paidCalls()).toHaveLength(1);
  });

  it('tells the client that the vendor refuses the prompt, and asks no second time', async () => {
    const refused = vendorOf('black-forest-labs').refused.poll ?? json(500, {});
    const { upstream, generate } = await start('black-forest-labs', { poll: answering(refused) });
    expect(await generate('AT_LEAST_ONCE')).toMatchObject({ __typename: 'ContentPolicyError' });
    expect(upstream.paidCalls()).toHaveLength(1);
  });

  it('pays once, at most once, where the job of another generation starts the call, and it is lost', async () => {
    const held = Promise.withResolvers<void>();
    const upstream = await startUpstream(async (request, response) => {
      // It was read: it may be billed.
      if (String(request.body).includes('second')) return void response.socket?.resetAndDestroy();
      await held.promise;
      await answering({ status: 200, headers: { 'content-type': 'image/png' }, body: PNG })(
        request,
        response,
      );
    });
    const queue = createQueue();
    const provider = aiSdk({
      name: 'painter',
      sizes: ['1024x1024'],
      canvas: 'size',
      model: ({ fetch }) =>
        handMade(async ({ prompt }) => queue.run(() => post(fetch, upstream.url, prompt, undefined))),
    });
    const gateway = await startTestGateway({
      extensions: defineConfig({ plugins: [{ name: 'painter', providers: [provider] }] }),
    });
    running.push({ gateway, upstream });
    const generate = (prompt: string) =>
      gateway.generateImage({
        prompt,
        size: 'SQUARE_1024X1024',
        provider: 'painter',
        delivery: 'AT_MOST_ONCE',
        idempotencyKey: freshKey(),
      });

    const first = generate('the first');
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    const second = generate('the second');
    await expect.poll(() => queue.waiting(), { interval: 5 }).toBe(1);
    held.resolve();
    expect(await first).toMatchObject({ __typename: 'GenerateImageSuccess' });
    expect(await second).toMatchObject({
      __typename: 'OutcomeUnknownError',
      generation: { attempts: [{ outcome: 'UNKNOWN' }] },
    });
    expect(upstream.requests.map(({ body }) => String(body))).toEqual([
      '{"prompt":"the first"}',
      '{"prompt":"the second"}',
    ]);
  });
});

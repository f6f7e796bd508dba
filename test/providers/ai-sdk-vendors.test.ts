import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { InvalidPictureError, ProviderFailure } from '../../src/errors.ts';
import { aiSdk } from '../../src/providers/ai-sdk.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { answering, failureOf, readAll, type WireAnswer } from '../../src/testing/upstream.ts';
import {
  API_KEY,
  cut,
  json,
  type RunningVendor,
  type Script,
  silence,
  startVendor,
  VENDORS,
  type Vendor,
  vendorOf,
} from './ai-sdk-vendors.ts';

const PNG = plainPicture({ width: 1024, height: 1024 });
const REQUEST = { prompt: 'a gesso ground', size: '1024x1024' } as const;
const REQUEST_ID = '0196b3c0-0000-7000-8000-000000000001';

const running: { upstream: RunningVendor; provider: Provider }[] = [];
afterEach(async () => {
  for (const { provider, upstream } of running.splice(0)) {
    await provider.close();
    await upstream.close();
  }
});

/** The vendor's API as the script has it, and a provider that calls it by the vendor's own package. */
async function start(vendor: Vendor, script: Script = {}) {
  const upstream = await startVendor(vendor, { picture: PNG, ...script });
  const provider = aiSdk({
    name: vendor.name,
    model: ({ fetch }) => vendor.model(upstream.url, fetch),
    ...vendor.options,
  });
  running.push({ upstream, provider });
  const generate = (signal = new AbortController().signal) =>
    provider.generate(REQUEST, { signal, requestId: REQUEST_ID });
  return {
    upstream,
    provider,
    generate,
    picture: () => generate().then(async (answer) => ({ answer, bytes: await readAll(answer.picture) })),
    failure: async (signal?: AbortSignal) => {
      const error = await failureOf(generate(signal).then((answer) => readAll(answer.picture)));
      expect(error).toBeInstanceOf(ProviderFailure);
      return error as ProviderFailure;
    },
  };
}

describe.each(VENDORS)('$name, by its own package', (vendor) => {
  it('brings its PNG byte for byte, by one paid call with the key, the canvas and X-Request-Id', async () => {
    const { upstream, provider, picture } = await start(vendor);
    const { answer, bytes } = await picture();
    expect(bytes.equals(PNG)).toBe(true);
    expect(provider.models).toContain(answer.model);
    expect(answer.httpStatus).toBe(200);

    const [paid, ...others] = upstream.paidCalls();
    expect(others).toEqual([]);
    expect(paid?.path).toBe(vendor.path);
    expect(paid?.headers).toMatchObject({ ...vendor.authorization, 'x-request-id': REQUEST_ID });
    const body = JSON.parse(String(paid?.body));
    expect(body).toMatchObject(vendor.square);
    expect(JSON.stringify(body)).toContain(REQUEST.prompt);
    expect(upstream.polls()).toBe(vendor.poll === undefined ? 0 : 3);
  });

  it('says that the key is wrong: the operator must mend it', async () => {
    const { upstream, failure } = await start(vendor, { submit: answering(vendor.wrongKey) });
    const failed = await failure();
    expect(failed).toMatchObject({
      outcome: 'REJECTED',
      rejection: 'OPERATOR',
      httpStatus: vendor.wrongKey.status,
    });
    expect(failed.message).not.toContain(API_KEY);
    expect(upstream.requests).toHaveLength(1);
  });

  it('refuses a prompt by its policy', async () => {
    const { submitted, poll } = vendor.refused;
    const { upstream, failure } = await start(vendor, {
      ...(submitted && { submit: answering(submitted) }),
      ...(poll && { poll: answering(poll) }),
    });
    expect(await failure()).toMatchObject({ outcome: 'REJECTED', rejection: 'CONTENT_POLICY' });
    expect(upstream.paidCalls()).toHaveLength(1);
  });

  it.each([429, 503])('did not accept when it answers %i, and when to come again is told', async (status) => {
    const { upstream, failure } = await start(vendor, {
      submit: answering(json(status, { detail: 'Later.' }, { 'retry-after': '7' })),
    });
    expect(await failure()).toMatchObject({
      outcome: 'NOT_ACCEPTED',
      httpStatus: status,
      retryAfterMs: 7_000,
    });
    expect(upstream.requests).toHaveLength(1);
  });

  it('leaves unknown what an error of its own did', async () => {
    const { upstream, failure } = await start(vendor, { submit: answering(json(500, { detail: 'Oh.' })) });
    expect(await failure()).toMatchObject({ outcome: 'UNKNOWN', httpStatus: 500 });
    expect(upstream.requests).toHaveLength(1);
  });

  it('leaves unknown what became of a call whose answer is cut', async () => {
    const { upstream, failure } = await start(vendor, {
      submit: cut(vendor.submitted('http://127.0.0.1', PNG)),
    });
    expect(await failure()).toMatchObject({ outcome: 'UNKNOWN' });
    expect(upstream.paidCalls()).toHaveLength(1);
  });

  it('leaves unknown what became of a call that is aborted while it waits for the answer', async () => {
    const { upstream, failure } = await start(vendor, { submit: silence });
    const controller = new AbortController();
    const failed = failure(controller.signal);
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    controller.abort();
    expect(await failed).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'ABORTED' });
    await upstream.requests[0]?.closed;
  });

  it('sends nothing when it is aborted before', async () => {
    const { upstream, failure } = await start(vendor);
    expect(await failure(AbortSignal.abort())).toMatchObject({ outcome: 'NOT_ACCEPTED' });
    expect(upstream.requests).toHaveLength(0);
  });

  it('brings a JPEG as PNG, with every pixel that the JPEG decodes to, and says so', async () => {
    const jpeg = await sharp(PNG).resize(96, 64, { fit: 'fill' }).jpeg({ quality: 60 }).toBuffer();
    const { picture } = await start(vendor, { picture: jpeg });
    const { answer, bytes } = await picture();
    const decode = (data: Buffer) => sharp(data).removeAlpha().raw().toBuffer();
    expect((await sharp(bytes).metadata()).format).toBe('png');
    expect((await decode(bytes)).equals(await decode(jpeg))).toBe(true);
    expect(answer.metadata().warnings).toContainEqual(
      'The picture came as image/jpeg, and was converted to PNG.',
    );
    expect(answer.metadata().warnings).toContainEqual('1024x1024 was asked for, and 96x64 was drawn.');
  });
});

describe.each(VENDORS.filter(({ name }) => name !== 'openai'))(
  '$name, whose picture is fetched',
  (vendor) => {
    it('leaves unknown a picture that is cut, gone, or not there yet', async () => {
      const whole: WireAnswer = { status: 200, headers: { 'content-type': 'image/png' }, body: PNG };
      const answers = [cut(whole), ...[401, 404, 429, 503].map((status) => answering(json(status, {})))];
      for (const download of answers) {
        const { upstream, failure } = await start(vendor, { download });
        // The picture is made and paid: whatever is said of its URL, another call would buy another.
        expect(await failure()).toMatchObject({ outcome: 'UNKNOWN' });
        expect(upstream.paidCalls()).toHaveLength(1);
      }
    });
  },
);

describe.each(VENDORS.filter(({ poll }) => poll !== undefined))('$name, while it is polled', (vendor) => {
  it.each([401, 404, 429, 503])('leaves unknown what a poll that answers %i hides', async (status) => {
    const { upstream, failure } = await start(vendor, { poll: answering(json(status, { detail: 'No.' })) });
    expect(await failure()).toMatchObject({ outcome: 'UNKNOWN', httpStatus: status });
    expect(upstream.paidCalls()).toHaveLength(1);
  });

  it('leaves unknown what a poll hides that is cut, or whose connection breaks', async () => {
    const breaks: Script = { poll: (_request, response) => void response.socket?.resetAndDestroy() };
    for (const script of [breaks, { poll: cut(json(200, { id: 'x', status: 'Pending' })) }]) {
      const { failure } = await start(vendor, script);
      expect(await failure()).toMatchObject({ outcome: 'UNKNOWN' });
    }
  });

  it('leaves unknown what becomes of a job that is aborted, and polls it no more', async () => {
    const pending = vendor.poll?.('http://127.0.0.1', false) ?? json(500, {});
    const { upstream, failure } = await start(vendor, {
      // Replicate's next poll goes where this one says.
      poll: (request, response) =>
        answering(vendor.poll?.(upstream.url, false) ?? pending)(request, response),
    });
    const controller = new AbortController();
    const failed = failure(controller.signal);
    await expect.poll(() => upstream.polls(), { interval: 5 }).toBeGreaterThan(2);
    controller.abort();
    expect(await failed).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'ABORTED' });
  });

  it('leaves unknown what a job cost that the vendor gave up', async () => {
    const answers: Record<string, object> = {
      replicate: {
        id: 'p1',
        status: 'failed',
        error: 'CUDA out of memory',
        urls: { get: 'http://x.test' },
      },
      luma: { id: 'g1', state: 'failed', failure_reason: 'Job timed out' },
      'black-forest-labs': { id: 't1', status: 'Error', result: null },
    };
    const { failure } = await start(vendor, { poll: answering(json(200, answers[vendor.name] ?? {})) });
    expect(await failure()).toMatchObject({ outcome: 'UNKNOWN' });
  });
});

describe('a job that is done without a picture', () => {
  // The package of Black Forest Labs throws a plain error then, which says less.
  const answers = {
    replicate: { id: 'p1', status: 'succeeded', output: null, urls: { get: 'http://x.test' } },
    luma: { id: 'g1', state: 'completed', assets: null },
  };
  it.each(Object.entries(answers))('is an answer without one, of %s', async (name, answer) => {
    const { generate } = await start(vendorOf(name), { poll: answering(json(200, answer)) });
    expect(await failureOf(generate())).toBeInstanceOf(InvalidPictureError);
  });
});

import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, InvalidPictureError, ProviderFailure } from '../../src/errors.ts';
import { IMAGE_SIZES } from '../../src/generation.ts';
import { createOpenAI, type OpenAIOptions } from '../../src/providers/openai.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { describeProvider } from '../../src/testing/describe-provider.ts';
import {
  answering,
  errorAnswer,
  failureOf,
  type RecordedRequest,
  readAll,
  startUpstream,
  type Upstream,
} from '../../src/testing/upstream.ts';
import { documentedAnswer, documentedError } from './openai-answers.ts';

const API_KEY = 'sk-proj-test-0123456789abcdef';
const PICTURE = Buffer.from('a picture');
const STANDARD_SIZES = ['auto', '1024x1024', '1536x1024', '1024x1536'];

describeProvider({
  name: 'openai',
  create: ({ url, apiKey, connections }) => createOpenAI({ apiKey, baseUrl: `${url}/v1`, connections }),
  success: documentedAnswer,
  error: (status, message) =>
    errorAnswer(status, { message, type: 'some_type', param: null, code: `code: ${message}` }),
  checkRequest(sent, { prompt, size }, apiKey) {
    expect(`${sent.method} ${sent.path}`).toBe('POST /v1/images/generations');
    // `toStrictEqual`: the API refuses a parameter that it does not know, such as `response_format`.
    expect(JSON.parse(sent.body.toString())).toStrictEqual({
      model: 'gpt-image-2',
      prompt,
      n: 1,
      size,
      output_format: 'png',
    });
    expect(sent.headers).toMatchObject({
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'x-client-request-id': sent.headers['x-request-id'],
    });
  },
});

describe('openai', () => {
  let upstream: Upstream;
  let made: Provider[];
  beforeEach(async () => {
    made = [];
    upstream = await startUpstream(answering(documentedAnswer(PICTURE)));
  });
  afterEach(async () => {
    for (const provider of made) await provider.close();
    await upstream.close();
  });

  const create = (options: Partial<OpenAIOptions> = {}): Provider => {
    const provider = createOpenAI({ apiKey: API_KEY, baseUrl: `${upstream.url}/v1`, ...options });
    made.push(provider);
    return provider;
  };
  const call = (options?: Partial<OpenAIOptions>) =>
    create(options).generate(
      { prompt: 'a gesso ground', size: '1024x1024' },
      { signal: new AbortController().signal, requestId: 'request-1' },
    );
  const sentWith = async (options: Partial<OpenAIOptions>): Promise<RecordedRequest> => {
    await readAll((await call(options)).picture);
    const sent = upstream.requests.at(-1);
    if (sent === undefined) expect.fail('Nothing was sent.');
    return sent;
  };
  const bodyWith = async (options: Partial<OpenAIOptions>): Promise<Record<string, unknown>> =>
    JSON.parse((await sentWith(options)).body.toString());
  const failureWith = async (status: number, error: Record<string, unknown>, headers = {}) => {
    const answer = errorAnswer(status, error);
    upstream.answerWith(answering({ ...answer, headers: { ...answer.headers, ...headers } }));
    const failure = await failureOf(call());
    expect(failure).toBeInstanceOf(ProviderFailure);
    expect(upstream.requests).toHaveLength(1);
    return failure as ProviderFailure;
  };
  const refusalOf = (options: object): string => {
    try {
      createOpenAI({ apiKey: API_KEY, ...options });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as ConfigError).message;
    }
    return expect.fail('It was not refused.');
  };

  describe('its models', () => {
    it.each<[string, readonly string[]]>([
      ['gpt-image-2', IMAGE_SIZES],
      ['gpt-image-2-2026-04-21', IMAGE_SIZES],
      ['gpt-image-2.5-sunburst', IMAGE_SIZES],
      ['gpt-image-2.5-flare-2026-09-08', IMAGE_SIZES],
      ['gpt-image-2.6-sunburst', IMAGE_SIZES],
      ['gpt-image-2.6-flare', IMAGE_SIZES],
      ['gpt-image-1.5', STANDARD_SIZES],
      ['gpt-image-1-mini', STANDARD_SIZES],
      ['chatgpt-image-latest', STANDARD_SIZES],
    ])('%s is asked for by its name, in its sizes', async (model, sizes) => {
      expect(create({ model })).toMatchObject({ name: 'openai', models: [model], sizes });
      expect(await bodyWith({ model })).toMatchObject({ model });
    });

    it('can stand beside each other under names of their own', () => {
      expect(create({ name: 'openai-draft', model: 'gpt-image-2.6-flare' }).name).toBe('openai-draft');
    });

    it.each([
      ['gpt-image-1', '2026-10-23'],
      ['dall-e-2', '2026-05-12'],
      ['dall-e-3', '2026-05-12'],
    ])('%s, which is gone, is refused', (model, day) => {
      expect(refusalOf({ model })).toBe(
        `The provider openai: ${model} was shut down on ${day}; use gpt-image-2.6-sunburst or gpt-image-2.6-flare.`,
      );
    });

    it('that are not known are taken with the sizes that the operator knows of', async () => {
      expect(refusalOf({ model: 'gpt-image-9' })).toMatch(/"gpt-image-9" is not known; .*`sizes`/);
      const sizes = ['1024x1024', '3840x2160'] as const;
      const options: Partial<OpenAIOptions> = { model: 'gpt-image-9', sizes, quality: 'max' };
      expect(create(options)).toMatchObject({ models: ['gpt-image-9'], sizes });
      expect(await bodyWith(options)).toMatchObject({ model: 'gpt-image-9', quality: 'max' });
    });

    it('can be limited to fewer sizes, not to others', () => {
      expect(create({ sizes: ['1024x1024'] }).sizes).toEqual(['1024x1024']);
      expect(refusalOf({ model: 'gpt-image-1.5', sizes: ['3840x2160'] })).toMatch(
        /sizes has "3840x2160", but gpt-image-1.5 takes auto, 1024x1024, 1536x1024, 1024x1536/,
      );
      expect(refusalOf({ sizes: [] })).toMatch(/sizes is empty/);
    });
  });

  describe('its options', () => {
    it.each<[Partial<OpenAIOptions>, object]>([
      [{ quality: 'high' }, { quality: 'high' }],
      [{ quality: 'auto' }, { quality: 'auto' }],
      [{ model: 'gpt-image-2.5-flare', quality: 'xhigh' }, { quality: 'xhigh' }],
      [{ background: 'transparent' }, { background: 'transparent' }],
      [{ moderation: 'low' }, { moderation: 'low' }],
      [{ model: 'gpt-image-2.6-flare', complexity: 'low' }, { complexity: 'low' }],
      [{ safetyIdentifier: 'f00d' }, { safety_identifier: 'f00d' }],
    ])('%j reach the wire', async (options, expected) => {
      const { model, prompt, n, size, output_format, ...chosen } = await bodyWith(options);
      expect(chosen).toStrictEqual(expected);
    });

    it('name the organization and the project by headers', async () => {
      const { headers } = await sentWith({ organization: 'org-1', project: 'proj_2' });
      expect(headers).toMatchObject({ 'openai-organization': 'org-1', 'openai-project': 'proj_2' });
      expect(Object.keys((await sentWith({})).headers).filter((name) => name.startsWith('openai'))).toEqual(
        [],
      );
    });

    it.each([
      [
        { quality: 'xhigh' },
        'The provider openai: quality is "xhigh", but gpt-image-2 takes auto, low, medium, high.',
      ],
      [{ quality: 'hd' }, /quality is "hd", but gpt-image-2 takes/],
      [{ background: 'green' }, /background is "green", but gpt-image-2 takes auto, opaque, transparent/],
      [{ moderation: 'off' }, /moderation is "off"/],
      [{ complexity: 'low' }, /complexity is "low", but gpt-image-2 does not take it/],
      [
        { model: 'gpt-image-2.5-flare', complexity: 'low' },
        /complexity is "low", but gpt-image-2.5-flare does not/,
      ],
      [{ model: 'gpt-image-9', sizes: ['auto'], quality: 'hd' }, /quality is "hd", but gpt-image-9/],
      [{ safetyIdentifier: 'x'.repeat(129) }, /safetyIdentifier must have 1 to 128/],
      [{ organization: 'org\r\nx: y' }, /organization is not printable ASCII/],
      [{ project: '' }, /project is not printable ASCII/],
    ])('that the model does not take are refused when the provider is made: %j', (options, message) => {
      expect(refusalOf(options)).toMatch(message);
    });

    it.each([
      ['size', /each request brings its own/],
      ['n', /one picture/],
      ['outputFormat', /keeps PNG/],
      ['outputCompression', /keeps PNG/],
      ['responseFormat', /do not take it/],
      ['style', /do not take it/],
      ['stream', /finished picture/],
      ['user', /safetyIdentifier/],
      ['qualty', /"qualty" is no option\.$/],
    ])('of other names are refused, not dropped: %s', (option, message) => {
      expect(refusalOf({ [option]: 'x' })).toMatch(message);
    });

    it.each([undefined, '', 'two words'])('with the key %j are refused', (apiKey) => {
      expect(() => createOpenAI({ apiKey })).toThrow(
        new ConfigError('The API key of openai is empty or has characters that no header can carry.'),
      );
    });
  });

  describe('a documented error', () => {
    it.each(documentedError.refusals)('about the content: $code', async ({ status, ...error }) => {
      expect(await failureWith(status, error)).toMatchObject({
        outcome: 'REJECTED',
        rejection: 'CONTENT_POLICY',
        httpStatus: status,
        providerCode: error.code,
        message: expect.stringContaining(error.message),
      });
    });

    it.each(documentedError.operators)(
      'that only the operator can mend: $status $code',
      async (documented) => {
        const { status, ...error } = documented;
        // Waiting does not help, so that a header which says so changes nothing.
        expect(await failureWith(status, error, { 'retry-after': '2' })).toMatchObject({
          outcome: 'REJECTED',
          rejection: 'OPERATOR',
          httpStatus: status,
          providerCode: error.code ?? undefined,
          message: expect.stringContaining(error.message),
        });
      },
    );

    it.each(documentedError.requests)('that is about the request: $param', async ({ status, ...error }) => {
      expect(await failureWith(status, error)).toMatchObject({ outcome: 'REJECTED', rejection: 'REQUEST' });
    });

    it.each(documentedError.passing)('that passes: $status $code', async ({ status, ...error }) => {
      expect(await failureWith(status, error, { 'retry-after': '7' })).toMatchObject({
        outcome: 'NOT_ACCEPTED',
        rejection: undefined,
        providerCode: error.code,
        retryAfterMs: 7_000,
      });
    });

    it.each(documentedError.unknown)('that leaves it open: $status', async ({ status, ...error }) => {
      expect(await failureWith(status, error)).toMatchObject({ outcome: 'UNKNOWN', rejection: undefined });
    });

    // Envoy says so where the request had gone on, too.
    it.each([
      [
        'Envoy',
        'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
      ],
      ['a proxy that says nothing', ''],
      ['a proxy that speaks JSON', '{"message":"no healthy upstream","code":503}'],
      ['a proxy with an error that is text', '{"error":"Service Unavailable"}'],
      ['a proxy with an error that says nothing', '{"error":{}}'],
      ['a proxy with an error of its own making', '{"error":{"status":"UNAVAILABLE"}}'],
    ])('that %s gives in the place of OpenAI leaves it open, with 408 and 503', async (_who, text) => {
      for (const status of [408, 503]) {
        upstream.answerWith(answering({ status, body: Buffer.from(text) }));
        expect(await failureOf(call())).toMatchObject({ outcome: 'UNKNOWN', httpStatus: status });
      }
    });

    it.each([
      [408, { message: 'Later.' }],
      [408, { type: 'server_error' }],
      [409, { code: 'conflict' }],
      [503, { message: 'The engine is overloaded.' }],
      [503, { code: 'server_is_overloaded' }],
    ])("in OpenAI's own words passes, with status %i: %j", async (status, error) => {
      expect(await failureWith(status, error)).toMatchObject({ outcome: 'NOT_ACCEPTED' });
    });

    it('with a billing code but status 500 leaves it open too', async () => {
      const error = { message: 'No.', type: 'server_error', param: 'model', code: 'insufficient_quota' };
      expect(await failureWith(500, error)).toMatchObject({ outcome: 'UNKNOWN' });
    });

    it("says OpenAI's own id of the call, ahead of a text that may be cut", async () => {
      const error = { message: 'm'.repeat(1_000), type: 'server_error', param: null, code: null };
      const { message } = await failureWith(500, error, { 'x-request-id': 'req_0123456789abcdef' });
      expect(message).toMatch(/^openai: status 500 \(x-request-id req_0123456789abcdef\): m+…$/);
    });

    it('never shows the key, though it quotes it', async () => {
      const error = {
        message: `Incorrect API key provided: ${API_KEY}.`,
        type: 'invalid_request_error',
        param: null,
        code: API_KEY,
      };
      const failure = await failureWith(401, error, { 'x-request-id': API_KEY });
      expect(inspect(failure, { depth: Infinity, showHidden: true })).not.toContain(API_KEY);
      expect(failure.message).toContain('[redacted]');
    });
  });

  it("never shows a part of the key, though OpenAI's id of the call is cut within it", async () => {
    const id = `${'a'.repeat(100 - API_KEY.length / 2)}${API_KEY}`;
    const failure = await failureWith(500, { message: 'No.' }, { 'x-request-id': id });
    expect(failure.message).toContain('a'.repeat(80));
    expect(failure.message).not.toContain(API_KEY.slice(0, 8));
    expect(failure.message.length).toBeLessThan(200);
  });

  it('opens as many sockets as there are calls, where no number is given', async () => {
    const provider = create();
    const { promise: allHere, resolve } = Promise.withResolvers<void>();
    upstream.answerWith(async (request, response) => {
      if (upstream.requests.length === 40) resolve();
      await allHere;
      await answering(documentedAnswer(PICTURE))(request, response);
    });
    const { signal } = new AbortController();
    const request = { prompt: 'a gesso ground', size: '1024x1024' } as const;
    const calls = Array.from({ length: 40 }, async (_, index) =>
      readAll((await provider.generate(request, { signal, requestId: `request-${index}` })).picture),
    );
    for (const picture of await Promise.all(calls)) expect(picture).toEqual(PICTURE);
  });

  describe('an answer', () => {
    it('may say more than is documented', async () => {
      const document = JSON.parse(documentedAnswer(PICTURE).body.toString());
      document.data[0].seed = { value: 7, b64_json: 'AAAA' };
      document.moderation = [{ flagged: false }];
      upstream.answerWith(answering({ status: 200, body: Buffer.from(JSON.stringify(document)) }));
      const answer = await call();
      expect(await readAll(answer.picture)).toEqual(PICTURE);
      expect(answer.metadata()).toEqual({ revisedPrompt: undefined });
    });

    it('tells the revised prompt of a model that revises', async () => {
      upstream.answerWith(answering(documentedAnswer(PICTURE, { revised_prompt: 'A gesso ground, white' })));
      const answer = await call({ model: 'gpt-image-9', sizes: ['1024x1024'] });
      await readAll(answer.picture);
      expect(answer.metadata()).toEqual({ revisedPrompt: 'A gesso ground, white' });
    });

    it('that says of the picture what was not asked for is a warning, which quotes no key', async () => {
      const document = JSON.parse(documentedAnswer(PICTURE).body.toString());
      const said = { ...document, size: '1536x1024', quality: 'low', background: `opaque ${API_KEY}` };
      upstream.answerWith(answering({ status: 200, body: Buffer.from(JSON.stringify(said)) }));
      const answer = await call({ quality: 'high', background: 'transparent' });
      await readAll(answer.picture);
      expect(answer.metadata().warnings).toEqual([
        'Asked for size 1024x1024, and OpenAI says 1536x1024.',
        'Asked for quality high, and OpenAI says low.',
        'Asked for background transparent, and OpenAI says opaque [redacted].',
      ]);
    });

    it('that chose where the choice was left to it is none', async () => {
      for (const options of [{}, { quality: 'auto', background: 'auto' } as const]) {
        const answer = await call(options);
        await readAll(answer.picture);
        expect(answer.metadata()).toEqual({ revisedPrompt: undefined });
      }
    });

    it('with a URL in the place of a picture has none, and the URL is not called', async () => {
      const body = { created: 1, data: [{ url: `${upstream.url}/picture.png` }] };
      upstream.answerWith(answering({ status: 200, body: Buffer.from(JSON.stringify(body)) }));
      const error = await failureOf(call().then(({ picture }) => readAll(picture)));
      expect(error).toBeInstanceOf(InvalidPictureError);
      expect(upstream.requests).toHaveLength(1);
    });
  });
});

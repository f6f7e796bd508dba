import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defineConfig } from '../../src/index.ts';
import { createOpenAI } from '../../src/providers/openai.ts';
import { plainPicture } from '../../src/sandbox/plain-picture.ts';
import { answering, errorAnswer, startUpstream, type Upstream } from '../../src/testing/upstream.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { documentedAnswer } from './openai-answers.ts';

const API_KEY = 'sk-proj-of-the-gateway-0123456789';
const PICTURE = plainPicture({ width: 1536, height: 1024 });

describe('a gateway with OpenAI as a plug-in', () => {
  let upstream: Upstream;
  let gateway: TestGateway;
  beforeAll(async () => {
    upstream = await startUpstream(answering(documentedAnswer(PICTURE)));
    const provider = createOpenAI({
      apiKey: API_KEY,
      baseUrl: `${upstream.url}/v1`,
      model: 'gpt-image-1.5',
      quality: 'high',
    });
    gateway = await startTestGateway({
      extensions: defineConfig({ plugins: [{ name: 'openai', providers: [provider] }] }),
    });
  });
  afterAll(async () => {
    await gateway.close();
    await upstream.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
    upstream.answerWith(answering(documentedAnswer(PICTURE)));
  });

  const ask = (input: object = {}) =>
    gateway.generateImage({
      prompt: 'a gesso ground',
      provider: 'openai',
      size: 'LANDSCAPE_1536X1024',
      ...input,
    });
  const refuseWith = (status: number, error: Record<string, unknown>) =>
    upstream.answerWith(answering(errorAnswer(status, { param: null, ...error })));

  it('lists it with its model and its sizes', async () => {
    const { providers } = await gateway.query<{ providers: object[] }>('{ providers { name models sizes } }');
    expect(providers[0]).toEqual({
      name: 'openai',
      models: ['gpt-image-1.5'],
      sizes: ['AUTO', 'SQUARE_1024X1024', 'LANDSCAPE_1536X1024', 'PORTRAIT_1024X1536'],
    });
  });

  it('stores the picture, measured, and says who drew it', async () => {
    const { __typename, image, generation } = await ask();
    expect({ __typename, image }).toMatchObject({
      __typename: 'GenerateImageSuccess',
      image: { width: 1536, height: 1024, byteSize: PICTURE.length, revisedPrompt: null },
    });
    const { node } = await gateway.query<{ node: object }>(
      'query ($id: ID!) { node(id: $id) { ... on Generation { provider model attempts { provider requestId } } } }',
      { id: generation?.id },
    );
    const sent = upstream.requests[0];
    expect(node).toEqual({
      provider: 'openai',
      model: 'gpt-image-1.5',
      attempts: [{ provider: 'openai', requestId: sent?.headers['x-client-request-id'] }],
    });
    expect(JSON.parse(String(sent?.body))).toMatchObject({ size: '1536x1024', quality: 'high' });
    expect(Buffer.from(await (await fetch(image?.url ?? '')).arrayBuffer())).toEqual(PICTURE);
  });

  it('logs where the answer says that another picture was made than was asked for', async () => {
    // Its text says 1024x1024, whatever the picture.
    expect(await ask()).toMatchObject({ __typename: 'GenerateImageSuccess', image: { width: 1536 } });
    expect(gateway.logLines.join('')).toContain('Asked for size 1536x1024, and OpenAI says 1024x1024.');
  });

  it('hands on a refusal of the content, after one call', async () => {
    refuseWith(400, { message: 'safety_violations=[violence].', code: 'moderation_blocked' });
    const result = await ask();
    expect(result).toMatchObject({ __typename: 'ContentPolicyError', retryable: false });
    expect(result.message).toContain('safety_violations=[violence]');
    expect(upstream.requests).toHaveLength(1);
  });

  it('is refused once where the account is out of credits, and can be asked again with the same key', async () => {
    const idempotencyKey = freshKey();
    const message = 'You exceeded your current quota, please check your plan and billing details.';
    refuseWith(429, { message, type: 'insufficient_quota', code: 'credit_balance_exhausted' });
    expect(await ask({ idempotencyKey })).toMatchObject({
      __typename: 'ProviderRejectedError',
      providerCode: 'credit_balance_exhausted',
      message: expect.stringContaining(message),
    });
    expect(upstream.requests).toHaveLength(1);

    upstream.answerWith(answering(documentedAnswer(PICTURE)));
    expect(await ask({ idempotencyKey })).toMatchObject({
      __typename: 'GenerateImageSuccess',
      replayed: false,
    });
  });

  it('waits for a rate limit, and then gets its picture', async () => {
    const limited = errorAnswer(429, {
      message: 'Slow down.',
      type: 'requests',
      code: 'rate_limit_exceeded',
    });
    upstream.answerWith((request, response) =>
      answering(upstream.requests.length === 1 ? limited : documentedAnswer(PICTURE))(request, response),
    );
    const { __typename, generation } = await ask();
    expect(__typename).toBe('GenerateImageSuccess');
    expect(generation?.attempts).toMatchObject([
      { outcome: 'NOT_ACCEPTED', httpStatus: 429, errorCode: 'rate_limit_exceeded' },
      { outcome: 'SUCCEEDED' },
    ]);
  });

  it('is not called for a size that its model does not have', async () => {
    expect(await ask({ size: 'LANDSCAPE_3840X2160' })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'size'], message: '3840x2160 is not offered by openai.' }],
    });
    expect(upstream.requests).toEqual([]);
  });

  it('says its key in no log line', () => {
    expect(gateway.logLines.join('')).not.toContain(API_KEY);
  });
});

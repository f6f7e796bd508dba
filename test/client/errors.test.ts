import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSchema, isUnionType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as sdk from '../../src/client/index.ts';
import {
  createClient,
  type GenerateImageRequest,
  type Generation,
  type GessoClient,
  GessoError,
} from '../../src/client/index.ts';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));

let gateway: TestGateway;
let client: GessoClient;
beforeAll(async () => {
  gateway = await startTestGateway();
  client = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
});
afterAll(() => gateway.close());

/** What the call throws. */
async function thrownBy(call: Promise<unknown>): Promise<GessoError> {
  const thrown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof GessoError)) throw new Error('It threw no GessoError.', { cause: thrown });
  return thrown;
}

describe('every union member of the schema', () => {
  const members = ['GenerateImageResult', 'StartGenerationResult', 'CancelGenerationResult'].flatMap(
    (name) => {
      const type = schema.getType(name);
      return isUnionType(type) ? type.getTypes().map((member) => member.name) : [];
    },
  );
  const failures = [...new Set(members)].filter((name) => !/(Success|Pending)$/.test(name));

  it.each(failures)('has its class: %s', (name) => {
    const errorClass: unknown = (sdk as Record<string, unknown>)[name];
    expect(errorClass).toBeTypeOf('function');
    expect((errorClass as typeof GessoError).prototype).toBeInstanceOf(GessoError);
  });
});

describe('a generation that ends without an image', () => {
  type Ending = [member: string, input: Partial<GenerateImageRequest>, behaviours: Behaviour[]];
  const openai = { body: 'openai', message: 'The provider says no.' } as const;
  const endings: Ending[] = [
    [
      'ContentPolicyError',
      {},
      [{ kind: 'status', status: 400, code: 'content_policy_violation', ...openai }],
    ],
    ['ProviderRejectedError', {}, [{ kind: 'status', status: 400, code: 'not_like_this', ...openai }]],
    ['ProviderRejectedError', {}, [{ kind: 'status', status: 401, code: 'bad_key', ...openai }]],
    ['ProviderUnavailableError', {}, Array(4).fill({ kind: 'status', status: 503, ...openai })],
    ['InvalidImageError', {}, [{ kind: 'picture', bytes: Buffer.from('no picture') }]],
    [
      'InvalidImageError',
      { delivery: 'AT_MOST_ONCE' },
      [{ kind: 'picture', bytes: Buffer.from('no picture') }],
    ],
    ['OutcomeUnknownError', { delivery: 'AT_MOST_ONCE' }, [{ kind: 'reset', at: 'before-headers' }]],
  ];

  it.each(endings)('throws %s: %j', async (member, input, behaviours) => {
    const request = { prompt: `one that ends as ${member}`, idempotencyKey: freshKey(), ...input };
    gateway.sandbox.behave(...behaviours);
    const error = await thrownBy(client.generateImage(request));
    expect(error).toBeInstanceOf((sdk as Record<string, unknown>)[member]);
    const { name, idempotencyKey, generation } = error;
    expect({ name, idempotencyKey }).toEqual({ name: member, idempotencyKey: request.idempotencyKey });
    expect(generation).toMatchObject({ idempotencyKey, prompt: request.prompt });
    expect(generation?.attempts.at(-1)?.finishedAt).toBeInstanceOf(Date);
  });

  it('tells when it is worth asking again', async () => {
    // Longer than the deadline, so that the gateway itself does not wait for it.
    gateway.sandbox.behave({ kind: 'status', status: 503, headers: { 'retry-after': '86400' } });
    const error = await thrownBy(client.generateImage({ prompt: 'too early' }));
    expect(error).toBeInstanceOf(sdk.ProviderUnavailableError);
    expect(error).toMatchObject({ retryable: true, retryAfterSeconds: 86_400 });
  });

  it.each(endings)(
    'says what the gateway says to who waited for it: %s %j',
    async (member, input, behaviours) => {
      gateway.sandbox.behave(...behaviours);
      const answer = await gateway.generateImage({ prompt: `another one that ends as ${member}`, ...input });
      const error = await thrownBy(client.waitForGeneration(answer.generation?.id ?? ''));
      const { name, message, retryable } = error;
      expect({ name, message, retryable }).toEqual({
        name: answer.__typename,
        message: answer.message,
        retryable: answer.retryable,
      });
      if (error instanceof sdk.ProviderRejectedError) {
        expect(error.providerCode).toBeDefined();
        expect(error.providerCode).toBe(answer.providerCode);
      }
    },
  );

  it('throws the same to who asks later with a key that is held, and nothing is bought', async () => {
    const request: GenerateImageRequest = {
      prompt: 'refused for good',
      idempotencyKey: freshKey(),
      delivery: 'AT_MOST_ONCE',
    };
    gateway.sandbox.behave({ kind: 'status', status: 400, code: 'not_like_this' });
    const { generation: first } = await thrownBy(client.generateImage(request));
    const again = await thrownBy(client.generateImage(request));
    expect(again).toBeInstanceOf(sdk.ProviderRejectedError);
    expect(again.generation).toEqual(first);
    expect(again).toMatchObject({ providerCode: 'not_like_this' });
  });

  it('StorageFailedError, when the image could not be kept', async () => {
    const poor = await startTestGateway({ environment: { GESSO_DEADLINE_MS: '600' } });
    try {
      const folder = join(poor.dataDir, 'images');
      // A file in the folder's place: no permission could keep root from writing to a folder.
      await rename(folder, `${folder}.away`);
      await writeFile(folder, '');
      const error = await thrownBy(
        createClient({ url: poor.url, apiKey: ADMIN_KEY }).generateImage({ prompt: 'nowhere to go' }),
      );
      expect(error).toBeInstanceOf(sdk.StorageFailedError);
      expect(error).toMatchObject({ retryable: true, generation: { status: 'FAILED' } });
    } finally {
      await poor.close();
    }
  });

  it('GenerationCanceledError, when somebody canceled it', async () => {
    gateway.sandbox.behave({ kind: 'hang', at: 'before-accept' });
    const prompt = 'to be canceled';
    let id = '';
    const onProgress = (generation: Generation) => {
      id = generation.id;
    };
    const calling = thrownBy(client.generateImage({ prompt }, { onProgress }));
    await gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
    // The upstream may hear of it before the caller has its id.
    await expect.poll(() => id).not.toBe('');
    const { mayBeBilled, generation } = await client.cancelGeneration(id);
    expect({ mayBeBilled, status: generation.status }).toEqual({ mayBeBilled: true, status: 'CANCELED' });
    const error = await calling;
    expect(error).toBeInstanceOf(sdk.GenerationCanceledError);
    expect(error.generation?.status).toBe('CANCELED');
  });
});

describe('what is refused before it is a generation', () => {
  it('InvalidInputError names every issue', async () => {
    const error = await thrownBy(client.generateImage({ prompt: ' ' }));
    expect(error).toBeInstanceOf(sdk.InvalidInputError);
    expect(error).toMatchObject({ issues: [{ path: ['input', 'prompt'], message: 'must not be empty.' }] });
    expect(await thrownBy(client.startGeneration({ prompt: ' ' }))).toBeInstanceOf(sdk.InvalidInputError);
    expect(await thrownBy(client.generateImages({ prompt: ' ', count: 3 }))).toBeInstanceOf(
      sdk.InvalidInputError,
    );
  });

  it('IdempotencyConflictError has the generation that holds the key', async () => {
    const idempotencyKey = freshKey();
    const { generation } = await client.generateImage({ prompt: 'the first', idempotencyKey });
    const error = await thrownBy(client.generateImage({ prompt: 'the second', idempotencyKey }));
    expect(error).toBeInstanceOf(sdk.IdempotencyConflictError);
    expect(error).toMatchObject({
      retryable: false,
      idempotencyKey,
      existingGeneration: { id: generation.id, prompt: 'the first' },
    });
  });

  it('QuotaExceededError says when the next day begins', async () => {
    const { key } = await gateway.createClient('poor', ['images:generate'], 1);
    const poor = createClient({ url: gateway.url, apiKey: key });
    await poor.generateImage({ prompt: 'the only one' });
    const error = await thrownBy(poor.generateImage({ prompt: 'one too many' }));
    expect(error).toBeInstanceOf(sdk.QuotaExceededError);
    const { resetAt, retryable } = error as sdk.QuotaExceededError;
    expect(retryable).toBe(true);
    expect(resetAt.getTime()).toBeGreaterThan(Date.now());
    expect(resetAt.toISOString()).toMatch(/T00:00:00\.000Z$/);
  });

  it('GenerationNotFoundError and GenerationNotCancelableError, of cancelGeneration', async () => {
    const { generation } = await client.generateImage({ prompt: 'too late' });
    const late = await thrownBy(client.cancelGeneration(generation.id));
    expect(late).toBeInstanceOf(sdk.GenerationNotCancelableError);
    expect(late.generation?.status).toBe('SUCCEEDED');
    expect(await thrownBy(client.cancelGeneration('nothing'))).toBeInstanceOf(sdk.GenerationNotFoundError);
    expect(await thrownBy(client.waitForGeneration('nothing'))).toBeInstanceOf(sdk.GenerationNotFoundError);
  });

  it('UnauthenticatedError without a key, with a wrong one, and with one that is no key', async () => {
    for (const apiKey of [undefined, 'wrong', 'wröng', 'two words', '']) {
      const stranger = createClient({ url: gateway.url, apiKey });
      const calls = [
        stranger.generateImage({ prompt: 'for a stranger' }),
        stranger.viewer(),
        Array.fromAsync(stranger.watchGeneration('some')),
      ];
      for (const call of calls) {
        const error = await thrownBy(call);
        expect(error).toBeInstanceOf(sdk.UnauthenticatedError);
        if (apiKey) expect(JSON.stringify([error, error.message])).not.toContain(apiKey);
      }
    }
  });

  it('ForbiddenError without the scope', async () => {
    const { key } = await gateway.createClient('reader', ['generations:read']);
    const reader = createClient({ url: gateway.url, apiKey: key });
    const error = await thrownBy(reader.generateImage({ prompt: 'not allowed' }));
    expect(error).toBeInstanceOf(sdk.ForbiddenError);
    expect(error.idempotencyKey).toBeDefined();
    expect(await thrownBy(Array.fromAsync(reader.auditEvents()))).toBeInstanceOf(sdk.ForbiddenError);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generationNow, startGeneration } from '../support/background.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';

const pictures = createHeldPictures();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: pictures.paint } });
});
afterAll(async () => {
  pictures.release();
  await gateway.close();
});

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

describe('startGeneration', () => {
  it('answers before the picture is made, and the generation goes on without its caller', async () => {
    const prompt = 'held while its caller leaves';
    pictures.hold(prompt);
    const started = await startGeneration(gateway, { prompt });
    expect(started).toMatchObject({
      __typename: 'StartGenerationSuccess',
      replayed: false,
      generation: { image: null },
    });
    expect(['QUEUED', 'RUNNING']).toContain(started.generation?.status);
    pictures.release();
    const id = started.generation?.id ?? '';
    await vi.waitFor(async () => expect((await generationNow(gateway, id))?.status).toBe('SUCCEEDED'), {
      timeout: 10_000,
    });
    expect(callsFor(prompt)).toHaveLength(1);
  });

  it('is one job with generateImage: the same key is the same generation, whichever asks first', async () => {
    const input = { prompt: 'asked by both', idempotencyKey: freshKey() };
    const started = await startGeneration(gateway, input);
    const waited = await gateway.generateImage(input);
    const again = await startGeneration(gateway, input);
    expect(waited).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(waited.generation?.id).toBe(started.generation?.id);
    expect(again).toMatchObject({
      __typename: 'StartGenerationSuccess',
      replayed: true,
      generation: {
        id: started.generation?.id,
        status: 'SUCCEEDED',
        image: { sha256: waited.image?.sha256 },
      },
    });
    expect(callsFor(input.prompt)).toHaveLength(1);
  });

  it('refuses a key that was used for another prompt', async () => {
    const idempotencyKey = freshKey();
    const first = await startGeneration(gateway, { prompt: 'the first', idempotencyKey });
    expect(await startGeneration(gateway, { prompt: 'another', idempotencyKey })).toMatchObject({
      __typename: 'IdempotencyConflictError',
      generation: { id: first.generation?.id },
    });
    expect(callsFor('another')).toEqual([]);
  });

  it('refuses to wait, rather than ignore that it was asked to', async () => {
    expect(await startGeneration(gateway, { prompt: 'x', waitSeconds: 5 })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'waitSeconds'] }],
    });
    expect(await startGeneration(gateway, { prompt: 'does not wait', waitSeconds: 0 })).toMatchObject({
      __typename: 'StartGenerationSuccess',
    });
  });

  it('checks its input like generateImage', async () => {
    const refused = await startGeneration(gateway, { prompt: ' ', idempotencyKey: 'a\nb' });
    expect(refused.issues?.map(({ path }) => path.join('.'))).toEqual([
      'input.prompt',
      'input.idempotencyKey',
    ]);
  });

  it('needs the scope, keeps the quota, and puts both refusals on record', async () => {
    const reader = await gateway.createClient('reads only', ['generations:read']);
    await expect(startGeneration(reader, { prompt: 'x' })).rejects.toMatchObject({
      extensions: { code: 'FORBIDDEN' },
    });
    const limited = await gateway.createClient('has one a day', ['images:generate'], 1);
    expect(await startGeneration(limited, { prompt: 'the one' })).toMatchObject({ replayed: false });
    expect(await startGeneration(limited, { prompt: 'one too many' })).toMatchObject({
      __typename: 'QuotaExceededError',
    });
    await vi.waitFor(async () => {
      const denied = await gateway.sql(`select 1 from audit_events where action = 'GENERATION_DENIED'`);
      expect(denied).toHaveLength(2);
    });
  });

  it('counts as an image of the operation that it is in', async () => {
    const fields = Array.from(
      { length: 11 },
      (_, index) => `a${index}: startGeneration(input: { prompt: "many" }) { __typename }`,
    );
    const { body, status } = await gateway.send(`mutation { ${fields.join(' ')} }`);
    expect(status).toBe(400);
    expect(body.errors?.[0]?.extensions?.code).toBe('TOO_MANY_IMAGES');
    expect(callsFor('many')).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { ImageResult } from '../support/graphql-client.ts';
import { createHeldPictures } from '../support/held-pictures.ts';

const pictures = createHeldPictures();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: pictures.paint } });
});
afterAll(() => gateway.close());

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

describe('100 concurrent requests with one key', () => {
  it('make one call, and get 100 equal answers', async () => {
    const input = { prompt: 'asked a hundred times', idempotencyKey: freshKey() };
    pictures.hold(input.prompt);
    const asking = Array.from({ length: 100 }, () => gateway.generateImage(input));
    await gateway.sandbox.journal.waitFor(1, { where: ({ prompt }) => prompt === input.prompt });
    pictures.release();
    const answers = await Promise.all(asking);

    const [first] = answers;
    expect(first?.__typename).toBe('GenerateImageSuccess');
    expect(answers.map(essence)).toEqual(answers.map(() => first && essence(first)));
    expect(answers.filter(({ replayed }) => replayed === false)).toHaveLength(1);
    expect(callsFor(input.prompt)).toHaveLength(1);
    const rows = await gateway.sql('select 1 from generations where idempotency_key = $1', [
      input.idempotencyKey,
    ]);
    expect(rows).toHaveLength(1);
  });

  /** All but who was first, and a URL whose expiry moves on with the clock. */
  function essence({ image, generation, __typename }: ImageResult) {
    return { __typename, generation, image: { ...image, url: undefined } };
  }
});

describe('one key with a changed prompt', () => {
  it('conflicts while in flight and after, and makes no further call', async () => {
    const input = { prompt: 'the first wish', idempotencyKey: freshKey() };
    const changed = { ...input, prompt: 'another wish' };
    pictures.hold(input.prompt);
    const first = gateway.generateImage(input);
    await gateway.sandbox.journal.waitFor(1, { where: ({ prompt }) => prompt === input.prompt });

    const inFlight = await gateway.generateImage(changed);
    expect(inFlight).toMatchObject({ __typename: 'IdempotencyConflictError', retryable: false });
    expect(inFlight.generation?.status).toBe('RUNNING');
    pictures.release();
    const { generation } = await first;
    const after = await gateway.generateImage(changed);
    expect(after).toMatchObject({
      __typename: 'IdempotencyConflictError',
      generation: { id: generation?.id, status: 'SUCCEEDED' },
    });
    expect(callsFor(changed.prompt)).toHaveLength(0);
    expect(callsFor(input.prompt)).toHaveLength(1);
  });

  it.each([
    { what: 'size', change: { size: 'LANDSCAPE_1536X1024' } },
    { what: 'delivery', change: { delivery: 'AT_MOST_ONCE' } },
    { what: 'provider', change: { provider: 'bettertoken' } },
  ])('conflicts likewise with a changed $what', async ({ change }) => {
    const input = { prompt: `a wish before ${JSON.stringify(change)}`, idempotencyKey: freshKey() };
    await gateway.generateImage(input);
    const changed = await gateway.generateImage({ ...input, ...change });
    expect(changed.__typename).toBe('IdempotencyConflictError');
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

describe('one key of two clients', () => {
  it('is two keys: two calls, and nothing crosses', async () => {
    const [first, second] = await Promise.all([
      gateway.createClient('first'),
      gateway.createClient('second'),
    ]);
    const idempotencyKey = freshKey();
    const ask = () =>
      Promise.all([
        first.generateImage({ prompt: 'what the first wants', idempotencyKey }),
        second.generateImage({ prompt: 'what the second wants', idempotencyKey }),
      ]);
    const made = await ask();
    const replayed = await ask();
    expect(made.map((answer) => answer.replayed)).toEqual([false, false]);
    expect(replayed.map((answer) => answer.replayed)).toEqual([true, true]);
    expect(replayed.map(({ image }) => image?.id)).toEqual(made.map(({ image }) => image?.id));
    expect(made[0].image?.id).not.toBe(made[1].image?.id);
    expect(callsFor('what the first wants')).toHaveLength(1);
    expect(callsFor('what the second wants')).toHaveLength(1);
  });
});

describe('the same intent, written otherwise', () => {
  const SELECTION = '{ __typename ... on GenerateImageSuccess { replayed image { id } } }';
  const prompt = 'one intent in many words';

  it.each([
    [
      'in another order',
      (key: string) => `size: SQUARE_1024X1024, idempotencyKey: "${key}", prompt: "${prompt}"`,
    ],
    [
      'with every default spelled out',
      (key: string) =>
        `delivery: AT_LEAST_ONCE, provider: null, size: SQUARE_1024X1024, prompt: "${prompt}", idempotencyKey: "${key}"`,
    ],
    [
      'by one who would wait longer',
      (key: string) => `waitSeconds: 120, prompt: "${prompt}", idempotencyKey: "${key}"`,
    ],
  ])('replays when it is asked %s', async (_how, write) => {
    const key = freshKey();
    const first = await gateway.generateImage({ prompt, idempotencyKey: key });
    const calls = callsFor(prompt).length;
    const { generateImage } = await gateway.query<{ generateImage: ImageResult }>(
      `mutation { generateImage(input: { ${write(key)} }) ${SELECTION} }`,
    );
    expect(generateImage).toEqual({
      __typename: 'GenerateImageSuccess',
      replayed: true,
      image: { id: first.image?.id },
    });
    expect(callsFor(prompt)).toHaveLength(calls);
  });
});

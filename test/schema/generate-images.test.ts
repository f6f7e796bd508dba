import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { ImageResult } from '../support/graphql-client.ts';

const names = (results: readonly ImageResult[]) => results.map(({ __typename }) => __typename);
const imageIds = (results: readonly ImageResult[]) => results.map(({ image }) => image?.id);

describe('generateImages', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());
  beforeEach(() => gateway.sandbox.journal.clear());

  it('makes independent generations of one image each', async () => {
    const results = await gateway.generateImages({ prompt: 'three', count: 3 });
    expect(names(results)).toEqual(Array(3).fill('GenerateImageSuccess'));
    expect(new Set(imageIds(results)).size).toBe(3);
    expect(new Set(results.map(({ generation }) => generation?.id)).size).toBe(3);
    const calls = gateway.sandbox.journal.calls();
    expect(calls.map(({ json }) => (json as { n: number }).n)).toEqual([1, 1, 1]);
    expect(new Set(calls.map(({ requestId }) => requestId)).size).toBe(3);
  });

  it('lets each succeed or fail by itself', async () => {
    gateway.sandbox.behave({ kind: 'normal' }, { kind: 'status', status: 400 }, { kind: 'normal' });
    const results = await gateway.generateImages({ prompt: 'two of three', count: 3 });
    expect(names(results).toSorted()).toEqual([
      'GenerateImageSuccess',
      'GenerateImageSuccess',
      'ProviderRejectedError',
    ]);
  });

  it('gives the results in order, whichever is done first', async () => {
    const input = { prompt: 'in order', count: 3, idempotencyKey: freshKey() };
    gateway.sandbox.behave(
      { kind: 'normal', delayMs: 120 },
      { kind: 'normal', delayMs: 60 },
      { kind: 'normal' },
    );
    const results = await gateway.generateImages(input);
    const rows = await gateway.sql<{ id: string }>(
      'select i.id from images i join generations g on g.id = i.generation_id where g.prompt = $1 order by g.ordinal',
      [input.prompt],
    );
    expect(imageIds(results)).toEqual(rows.map(({ id }) => Buffer.from(`Image:${id}`).toString('base64')));
    expect(imageIds(await gateway.generateImages(input))).toEqual(imageIds(results));
  });

  it('makes only the new ones when it is asked for more with the same key', async () => {
    const input = { prompt: 'more', idempotencyKey: freshKey() };
    const two = await gateway.generateImages({ ...input, count: 2 });
    const five = await gateway.generateImages({ ...input, count: 5 });
    expect(five.map(({ replayed }) => replayed)).toEqual([true, true, false, false, false]);
    expect(imageIds(five).slice(0, 2)).toEqual(imageIds(two));
    const one = await gateway.generateImages({ ...input, count: 1 });
    expect(imageIds(one)).toEqual(imageIds(two).slice(0, 1));
    expect(gateway.sandbox.journal.calls()).toHaveLength(5);
  });

  it('conflicts for each place that the key holds, and for no other', async () => {
    const idempotencyKey = freshKey();
    await gateway.generateImages({ prompt: 'held', count: 2, idempotencyKey });
    const results = await gateway.generateImages({ prompt: 'changed', count: 3, idempotencyKey });
    expect(names(results)).toEqual([
      'IdempotencyConflictError',
      'IdempotencyConflictError',
      'GenerateImageSuccess',
    ]);
  });

  it('shares no place with a generateImage of the same key', async () => {
    const input = { prompt: 'one and one', idempotencyKey: freshKey() };
    const single = await gateway.generateImage(input);
    const [first] = await gateway.generateImages({ ...input, count: 1 });
    expect(first?.replayed).toBe(false);
    expect(first?.image?.id).not.toBe(single.image?.id);
  });

  it('is joined by the same request, place by place', async () => {
    const input = { prompt: 'joined', count: 4, idempotencyKey: freshKey() };
    gateway.sandbox.behaveAlways({ kind: 'normal', delayMs: 50 });
    const [one, two] = await Promise.all([gateway.generateImages(input), gateway.generateImages(input)]);
    gateway.sandbox.behaveAlways(undefined);
    expect(imageIds(one)).toEqual(imageIds(two));
    expect(gateway.sandbox.journal.calls()).toHaveLength(4);
  });

  it.each([0, -1, 11, 2_147_483_647])('is refused for a count of %i', async (count) => {
    const results = await gateway.generateImages({ prompt: 'wrong', count, idempotencyKey: freshKey() });
    expect(results).toMatchObject([
      {
        __typename: 'InvalidInputError',
        retryable: false,
        issues: [{ path: ['input', 'count'], message: 'must be 1 to 10.' }],
      },
    ]);
    expect(gateway.sandbox.journal.calls()).toEqual([]);
  });

  it('is refused once for all of its images, with every rule that was broken', async () => {
    const results = await gateway.generateImages({
      prompt: '',
      count: 11,
      idempotencyKey: '',
      waitSeconds: -1,
    });
    expect(results).toHaveLength(1);
    expect(results[0]?.issues?.map(({ path }) => path.at(-1)).toSorted()).toEqual([
      'count',
      'idempotencyKey',
      'prompt',
      'waitSeconds',
    ]);
  });

  it('answers with what is pending when it is told not to wait', async () => {
    const input = { prompt: 'later', count: 2, idempotencyKey: freshKey() };
    gateway.sandbox.behaveAlways({ kind: 'normal', delayMs: 300 });
    expect(names(await gateway.generateImages({ ...input, waitSeconds: 0 }))).toEqual(
      Array(2).fill('GenerationPending'),
    );
    gateway.sandbox.behaveAlways(undefined);
    expect(names(await gateway.generateImages(input))).toEqual(Array(2).fill('GenerateImageSuccess'));
    expect(gateway.sandbox.journal.calls()).toHaveLength(2);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type GessoClient } from '../../src/client/index.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const COUNT = 7;
const prompts = Array.from({ length: COUNT }, (_, index) => `picture ${index + 1}`);

let gateway: TestGateway;
let client: GessoClient;
/** How many requests were sent. */
let asked = 0;
beforeAll(async () => {
  gateway = await startTestGateway();
  const apiKey = (await gateway.createClient('lists', ['images:generate', 'audit:read'])).key;
  client = createClient({
    url: gateway.url,
    apiKey,
    fetch(input, init) {
      asked += 1;
      return fetch(input, init);
    },
  });
  for (const prompt of prompts) await client.generateImage({ prompt });
});
afterAll(() => gateway.close());

describe('generations()', () => {
  it('goes over all pages, newest first', async () => {
    asked = 0;
    const all = await Array.fromAsync(client.generations({ pageSize: 3 }));
    expect(all.map(({ prompt }) => prompt)).toEqual(prompts.toReversed());
    expect(asked).toBe(3);
    for (const { image, createdAt, finishedAt } of all) {
      expect(image?.byteSize).toBeGreaterThan(0);
      expect(finishedAt?.getTime()).toBeGreaterThanOrEqual(createdAt.getTime());
    }
  });

  it('asks for no page that nobody reads', async () => {
    asked = 0;
    for await (const { prompt } of client.generations({ pageSize: 2 })) if (prompt === prompts.at(-2)) break;
    expect(asked).toBe(1);
  });

  it('filters, with dates as dates', async () => {
    const [, second] = await Array.fromAsync(client.generations());
    const filter = { statuses: ['SUCCEEDED' as const], createdFrom: second?.createdAt };
    const newest = await Array.fromAsync(client.generations({ filter }));
    expect(newest.map(({ prompt }) => prompt)).toEqual(prompts.toReversed().slice(0, 2));
    expect(await Array.fromAsync(client.generations({ filter: { statuses: ['FAILED'] } }))).toEqual([]);
  });

  it('can be written as JSON', async () => {
    const [newest] = await Array.fromAsync(client.generations({ pageSize: 1 }));
    const text = JSON.stringify(newest);
    expect(JSON.parse(text)).toMatchObject({
      prompt: prompts.at(-1),
      image: { sha256: newest?.image?.sha256 },
    });
    expect(text).not.toContain(ADMIN_KEY);
  });

  it('refuses a page that is too large', async () => {
    await expect(Array.fromAsync(client.generations({ pageSize: 101 }))).rejects.toMatchObject({
      name: 'RefusedRequestError',
      code: 'BAD_USER_INPUT',
    });
  });

  it('goes over pages of a hundred', async () => {
    expect(await Array.fromAsync(client.generations({ pageSize: 100 }))).toHaveLength(COUNT);
  });
});

describe('auditEvents()', () => {
  it('goes over all pages, newest first, with what each line is about', async () => {
    const [newest] = await Array.fromAsync(client.generations({ pageSize: 1 }));
    const filter = { generationId: newest?.id };
    asked = 0;
    const events = await Array.fromAsync(client.auditEvents({ filter, pageSize: 2 }));
    expect(events.map(({ action }) => action)).toEqual([
      'GENERATION_SUCCEEDED',
      'ATTEMPT_FINISHED',
      'ATTEMPT_STARTED',
      'GENERATION_REQUESTED',
    ]);
    expect(asked).toBe(2);
    expect(events[1]).toMatchObject({
      client: { name: 'lists' },
      generation: { id: newest?.id },
      attempt: { number: 1, outcome: 'SUCCEEDED', httpStatus: 200 },
    });
    for (const { occurredAt } of events) expect(occurredAt).toBeInstanceOf(Date);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MAX_WATCHES_PER_CLIENT } from '../../src/dispatcher/updates.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { GraphqlClient } from '../support/graphql-client.ts';

/** How a plug-in treats a stream of events. */
let treat: (answer: Response) => Response | undefined;
/** Sources of a plug-in's own subscription that were not ended. */
let openSources = 0;
const neverTelling = {
  subscribe(): AsyncIterableIterator<unknown> {
    openSources += 1;
    return {
      next: () => new Promise(() => undefined),
      async return() {
        openSources -= 1;
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  },
};

let gateway: TestGateway;
let client: GraphqlClient;
let id: string;
beforeAll(async () => {
  gateway = await startTestGateway({
    extensions: {
      plugins: [
        {
          name: 'dropping',
          httpHooks: { onResponse: (answer) => treat(answer) },
          schema: {
            typeDefs: 'extend type Subscription { own: Int }',
            resolvers: { Subscription: { own: neverTelling } },
          },
        },
      ],
    },
  });
  treat = () => undefined;
  client = await gateway.createClient('watcher');
  gateway.sandbox.behaveAlways({ kind: 'hang', at: 'before-headers' });
  const { startGeneration } = await client.query<{ startGeneration: { generation: { id: string } } }>(
    `mutation { startGeneration(input: { prompt: "a" }) { ... on StartGenerationSuccess { generation { id } } } }`,
  );
  id = startGeneration.generation.id;
});
afterAll(() => gateway.close());

const subscribe = (query: string, accept = 'text/event-stream') =>
  fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${client.key}`, accept },
    body: JSON.stringify({ query, variables: { id } }),
  });
const WATCH = 'subscription ($id: ID!) { generationUpdated(id: $id) { status } }';
const OWN = 'subscription { own }';

/** The stream until it has told something. */
async function firstOf(response: Response): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let told = '';
  while (!told.includes('data:')) told += (await reader?.read())?.value ?? expect.fail(told);
  await reader?.cancel();
  return told;
}

describe('a subscription whose answer is dropped before anybody read it', () => {
  it.each<[string, number, string, typeof treat]>([
    ['its client accepts nothing that it could be sent in', 406, 'application/json', () => undefined],
    ['a plug-in answers something else', 503, 'text/event-stream', () => new Response('', { status: 503 })],
    ['a plug-in fails', 500, 'text/event-stream', () => 'clumsy' as never],
  ])('is ended, and counts against no limit: %s', async (_why, dropped, accept, how) => {
    treat = how;
    for (let count = 0; count < MAX_WATCHES_PER_CLIENT + 10; count++) {
      const response = await subscribe(WATCH, accept);
      expect(response.status).toBe(dropped);
      await response.text();
    }
    for (let count = 0; count < 5; count++) await (await subscribe(OWN, accept)).text();
    await vi.waitFor(() => expect(openSources).toBe(0));
    treat = () => undefined;
    expect(await firstOf(await subscribe(WATCH))).toContain('RUNNING');
  });
});

describe('a subscription whose client leaves', () => {
  it('is ended, also where it waits for what never comes', async () => {
    const leaving = new AbortController();
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${client.key}`,
        accept: 'text/event-stream',
      },
      body: JSON.stringify({ query: OWN }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    expect(openSources).toBe(1);
    leaving.abort();
    await vi.waitFor(() => expect(openSources).toBe(0), { timeout: 10_000 });
  });
});

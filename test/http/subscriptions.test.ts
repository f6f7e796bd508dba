import { once } from 'node:events';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { cancelGeneration, startedId } from '../support/background.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { subscribeBySse, subscribeByWebSocket, UPDATED } from '../support/subscribe.ts';

const pictures = createHeldPictures();
let gateway: TestGateway;
let replica: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: pictures.paint } });
  replica = await startTestGateway({
    environment: {
      DATABASE_URL: gateway.databaseUrl,
      BETTERTOKEN_BASE_URL: gateway.sandbox.baseUrl,
      GESSO_STORAGE_URL: `${gateway.dataDir}/images`,
    },
  });
});
afterAll(async () => {
  pictures.release();
  await replica?.close();
  await gateway?.close();
});

const TRANSPORTS = [
  { transport: 'server-sent events', subscribe: subscribeBySse },
  { transport: 'WebSocket', subscribe: subscribeByWebSocket },
];
const arrived = (prompt: string) =>
  gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
const statuses = (events: readonly { status: string }[]) => events.map(({ status }) => status);

/** Starts a generation, and resolves when its call has arrived upstream, where it is held. */
async function sent(client: TestGateway, prompt: string): Promise<string> {
  pictures.hold(prompt);
  const id = await startedId(client, { prompt });
  await arrived(prompt);
  return id;
}

describe.each(TRANSPORTS)('generationUpdated by $transport', ({ transport, subscribe }) => {
  const where = () => ({ url: gateway.url, key: gateway.key });

  it('tells how it is now, then every change, and ends with it', async () => {
    const id = await sent(gateway, `told by ${transport}`);
    const subscribed = subscribe({ ...where(), id });
    expect(await subscribed.next()).toMatchObject({
      id,
      status: 'RUNNING',
      attempts: [{ number: 1, outcome: 'PENDING' }],
      image: null,
    });
    pictures.release();
    const rest = await subscribed.rest();
    expect(statuses(rest)).toEqual(['SUCCEEDED']);
    expect(rest[0]?.attempts).toMatchObject([{ number: 1, outcome: 'SUCCEEDED' }]);
    expect((await fetch(rest[0]?.image?.url ?? '')).status).toBe(200);
    await subscribed.close();
  });

  it('tells of every attempt', async () => {
    const prompt = `tried twice, told by ${transport}`;
    gateway.sandbox.behaveAlways(({ prompt: asked }) =>
      asked === prompt && gateway.sandbox.journal.calls((call) => call.prompt === prompt).length < 2
        ? { kind: 'status', status: 503, holdMs: 150 }
        : undefined,
    );
    const id = await startedId(gateway, { prompt });
    const subscribed = subscribe({ ...where(), id });
    const events = await subscribed.rest();
    gateway.sandbox.behaveAlways(undefined);
    expect(
      events.some(({ attempts }) => attempts.length === 1 && attempts[0]?.outcome === 'NOT_ACCEPTED'),
    ).toBe(true);
    expect(events.at(-1)).toMatchObject({
      status: 'SUCCEEDED',
      attempts: [{ outcome: 'NOT_ACCEPTED' }, { outcome: 'SUCCEEDED' }],
    });
    await subscribed.close();
  });

  it('tells once of what has ended', async () => {
    const { generation } = await gateway.generateImage({
      prompt: 'ended long ago',
      idempotencyKey: freshKey(),
    });
    const subscribed = subscribe({ ...where(), id: generation?.id ?? '' });
    expect(statuses(await subscribed.rest())).toEqual(['SUCCEEDED']);
    await subscribed.close();
  });

  it('tells on one replica of what runs on another', async () => {
    pictures.hold(`elsewhere, ${transport}`);
    const id = await sent(gateway, `elsewhere, ${transport}`);
    const here = subscribe({ url: gateway.url, key: gateway.key, id });
    const there = subscribe({ url: replica.url, key: replica.key, id });
    expect((await here.next())?.status).toBe('RUNNING');
    expect((await there.next())?.status).toBe('RUNNING');
    await cancelGeneration(gateway, id);
    expect(statuses(await here.rest())).toEqual(['CANCELED']);
    expect(statuses(await there.rest())).toEqual(['CANCELED']);
    pictures.release();
    await Promise.all([here.close(), there.close()]);
  });

  it('misses nothing by subscribing again', async () => {
    const id = await sent(gateway, `left and come back, ${transport}`);
    const first = subscribe({ ...where(), id });
    await first.next();
    await first.close();
    pictures.release();
    await vi.waitFor(async () => {
      const again = subscribe({ ...where(), id });
      const [event] = await again.rest();
      await again.close();
      expect(event?.status).toBe('SUCCEEDED');
    });
  });

  it('finds nothing of other clients, nor what is not there', async () => {
    const id = await sent(gateway, `another's, ${transport}`);
    const other = await gateway.createClient(`subscribes by ${transport}`);
    for (const wanted of [id, 'nonsense']) {
      const subscribed = subscribe({ url: gateway.url, key: other.key, id: wanted });
      await expect(subscribed.next()).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
      await subscribed.close();
    }
    const reader = await gateway.createClient(`reads all by ${transport}`, ['generations:read']);
    const subscribed = subscribe({ url: gateway.url, key: reader.key, id });
    expect((await subscribed.next())?.status).toBe('RUNNING');
    await subscribed.close();
    pictures.release();
  });

  it('refuses a key that is not good', async () => {
    const subscribed = subscribe({ url: gateway.url, key: 'gesso_0000000000000000_wrong', id: 'x' });
    await expect(subscribed.next()).rejects.toBeDefined();
    await subscribed.close();
  });

  it('ends at once when its key is revoked, on another replica too', async () => {
    const client = await gateway.createClient(`is revoked, ${transport}`);
    const prompt = `watched with a key that is revoked, ${transport}`;
    pictures.hold(prompt);
    const id = await startedId(client, { prompt });
    const subscribed = subscribe({ url: replica.url, key: client.key, id });
    await subscribed.next();
    const lost = expect(subscribed.rest().then(() => 'completed')).rejects.toBeDefined();
    const [key] = await gateway.sql<{ id: string }>('select id from api_keys where public_id = $1', [
      client.key.split('_')[1],
    ]);
    await gateway.query(
      'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { __typename } }',
      {
        input: { id: Buffer.from(`ApiKey:${key?.id}`).toString('base64') },
      },
    );
    await lost;
    await subscribed.close();
    pictures.release();
  });
});

describe('an event stream', () => {
  it('is kept alive by comments, and is not held back by proxies', async () => {
    const id = await sent(gateway, 'seen as it is');
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${gateway.key}`,
      },
      body: JSON.stringify({ query: UPDATED, variables: { id } }),
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    while (!/\n\n:\n\n/.test(text)) text += Buffer.from((await reader.read()).value ?? []).toString();
    expect(text.startsWith(':\n\n')).toBe(true);
    expect(text).toContain('event: next\ndata: {"data":{"generationUpdated":');
    await reader.cancel();
    pictures.release();
  });

  it('is cut, not completed, when the gateway shuts down, so that its reader comes back', async () => {
    const { sandbox, ...mortal } = await startTestGateway({ upstream: { latencyMs: 1_000 } });
    const id = await startedId(mortal as TestGateway, { prompt: 'outlives its gateway' });
    const bySse = subscribeBySse({ url: mortal.url, key: mortal.key, id });
    const byWebSocket = subscribeByWebSocket({ url: mortal.url, key: mortal.key, id });
    await Promise.all([bySse.next(), byWebSocket.next()]);
    const lost = Promise.allSettled([bySse.rest(), byWebSocket.rest()]);
    await mortal.close();
    const [sse, ws] = await lost;
    expect(sse.status).toBe('rejected');
    expect(ws).toMatchObject({ status: 'rejected', reason: { code: 1012 } });
  });
});

describe('a WebSocket', () => {
  const connect = (connectionParams: Record<string, unknown>) =>
    createClient({
      url: `${gateway.url.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams,
      retryAttempts: 0,
    });

  it('carries no queries and no mutations', async () => {
    const client = connect({ authorization: `Bearer ${gateway.key}` });
    for (const query of [
      '{ viewer { client { name } } }',
      'mutation { generateImage(input: { prompt: "by socket" }) { __typename } }',
    ]) {
      await expect(client.iterate({ query }).next()).rejects.toMatchObject([
        { message: 'A WebSocket carries subscriptions; send queries and mutations over HTTP.' },
      ]);
    }
    expect(gateway.sandbox.journal.calls((call) => call.prompt === 'by socket')).toEqual([]);
    await client.dispose();
  });

  it.each([
    ['a syntax error', 'subscription {', 'Syntax Error'],
    ['an unknown field', 'subscription { nothing }', 'Cannot query field'],
    [
      'more depth than is allowed',
      `subscription { generationUpdated(id: "x") ${'{ image { generation '.repeat(9)} { id } ${'} }'.repeat(9)} }`,
      'depth',
    ],
  ])('refuses %s', async (_what, query, message) => {
    const client = connect({ Authorization: `Bearer ${gateway.key}` });
    await expect(client.iterate({ query }).next()).rejects.toMatchObject([
      { message: expect.stringContaining(message) },
    ]);
    await client.dispose();
  });

  it.each([{}, { Authorization: 'Bearer wrong' }, { Authorization: 7 }])(
    'is closed for %j',
    async (parameters) => {
      const client = connect(parameters);
      await expect(client.iterate({ query: UPDATED, variables: { id: 'x' } }).next()).rejects.toMatchObject({
        code: 4401,
      });
      await client.dispose();
    },
  );

  it('opens nowhere else, and ends after a message that is too large', async () => {
    const url = gateway.url.replace(/^http/, 'ws');
    const elsewhere = new WebSocket(`${url}/images/x`, 'graphql-transport-ws');
    const [error] = await once(elsewhere, 'error');
    expect(String(error)).toContain('404');

    const socket = new WebSocket(`${url}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload: { filler: 'x'.repeat(200_000) } }));
    const [code] = await once(socket, 'close');
    expect(code).toBe(1009);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });
});

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type ClientOptions,
  createClient,
  GatewayUnavailableError,
  NetworkError,
  RefusedRequestError,
  type Retry,
  type TypedDocumentNode,
  UnexpectedResultError,
} from '../../src/client/index.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});
/** A server in the gateway's place. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A client whose waits take no time, and are noted, in milliseconds. */
function hurried(options: ClientOptions) {
  const waits: number[] = [];
  let now = Date.now();
  const client = createClient({
    apiKey: ADMIN_KEY,
    clock: {
      now: () => now,
      async sleep(ms) {
        waits.push(ms);
        now += ms;
      },
    },
    ...options,
  });
  return { client, waits };
}

describe('url', () => {
  it('may be the gateway or its endpoint, with and without a slash', async () => {
    for (const path of ['', '/', '/graphql', '/graphql/']) {
      const viewer = await createClient({ url: `${gateway.url}${path}`, apiKey: ADMIN_KEY }).viewer();
      expect(viewer).toMatchObject({ client: { name: 'admin' }, scopes: ['admin'], quota: undefined });
    }
  });

  it.each(['', 'nowhere', 'ftp://localhost', 'http://name:password@localhost'])('is refused as %j', (url) => {
    expect(() => createClient({ url })).toThrow(TypeError);
  });

  it('may lie below a path', async () => {
    let asked = '';
    const url = await serve((request, response) => {
      asked = request.url ?? '';
      response.writeHead(404).end();
    });
    await expect(createClient({ url: `${url}/pictures/` }).viewer()).rejects.toMatchObject({
      name: 'RefusedRequestError',
      code: 'NOT_GRAPHQL',
      httpStatus: 404,
    });
    expect(asked).toBe('/pictures/graphql');
  });
});

describe('apiKey and headers', () => {
  it('may be a function, which is asked each time', async () => {
    let asked = 0;
    const client = createClient({
      url: gateway.url,
      apiKey: async () => {
        asked += 1;
        return ADMIN_KEY;
      },
    });
    await client.viewer();
    await client.providers();
    expect(asked).toBe(2);
  });

  it('are sent with every request, events too', async () => {
    const seen = new Set<string>();
    const client = createClient({
      url: gateway.url,
      apiKey: ADMIN_KEY,
      headers: { 'X-Team': 'covers' },
      fetch(input, init) {
        const headers = new Headers(init?.headers);
        seen.add(
          `${headers.get('accept')?.slice(0, 17)} ${headers.get('x-team')} ${headers.get('authorization')}`,
        );
        return fetch(input, init);
      },
    });
    await client.generateImage({ prompt: 'With a header' });
    expect(seen).toEqual(
      new Set([
        `application/graph covers Bearer ${ADMIN_KEY}`,
        `text/event-stream covers Bearer ${ADMIN_KEY}`,
      ]),
    );
  });

  it('hands on what a function of the caller throws', async () => {
    const cause = new Error('no vault');
    const client = createClient({ url: gateway.url, apiKey: () => Promise.reject(cause) });
    await expect(client.generateImage({ prompt: 'x' })).rejects.toMatchObject({
      name: 'CallbackError',
      cause,
      idempotencyKey: expect.any(String),
    });
  });
});

describe('a gateway that is away', () => {
  it('is tried again, later and later, and Retry-After is honoured', async () => {
    const answers = [
      { status: 502, headers: {} },
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 504, headers: {} },
      { status: 408, headers: {} },
    ];
    const url = await serve((request, response) => {
      const answer = answers.shift();
      if (answer !== undefined) return void response.writeHead(answer.status, answer.headers).end('<html>');
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', async () => {
        const { authorization = '', accept = '' } = request.headers;
        const headers = { authorization, accept, 'content-type': 'application/json' };
        const passed = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body });
        response.writeHead(passed.status, { 'content-type': passed.headers.get('content-type') ?? '' });
        response.end(await passed.text());
      });
    });
    const { client, waits } = hurried({ url, waitSeconds: 0 });
    const retries: Retry[] = [];
    const image = await client.generateImage(
      { prompt: 'In the end' },
      { onRetry: (retry) => void retries.push(retry) },
    );
    expect(image.replayed).toBe(false);
    expect(retries.map(({ error }) => (error as GatewayUnavailableError).httpStatus)).toEqual([
      502, 429, 504, 408,
    ]);
    const [first = 0, second = 0, third = 0, fourth = 0] = waits;
    expect([
      first >= 100 && first <= 200,
      second,
      third >= 400 && third <= 800,
      fourth >= 800 && fourth <= 1600,
    ]).toEqual([true, 7_000, true, true]);
  });

  it('is given up after retrySeconds, with the key to ask again', async () => {
    const url = await serve((_request, response) => void response.writeHead(503).end());
    const { client, waits } = hurried({ url, retrySeconds: 120 });
    const error = await client.generateImage({ prompt: 'x' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GatewayUnavailableError);
    expect(error).toMatchObject({ httpStatus: 503, retryable: true, idempotencyKey: expect.any(String) });
    const total = waits.reduce((sum, ms) => sum + ms, 0);
    expect(total).toBeGreaterThan(100_000);
    expect(total).toBeLessThanOrEqual(120_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
  });

  it('is not waited for longer than it asks to be', async () => {
    const url = await serve(
      (_request, response) => void response.writeHead(503, { 'retry-after': '3600' }).end(),
    );
    const { client, waits } = hurried({ url });
    await expect(client.generateImage({ prompt: 'x' })).rejects.toMatchObject({ retryAfterSeconds: 3600 });
    expect(waits).toEqual([]);
  });

  it('is a NetworkError where there is none, soon for calls that only read', async () => {
    const url = await serve(() => undefined);
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    const { client, waits } = hurried({ url });
    const error = await client.viewer().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ notSent: true, message: expect.stringContaining('ECONNREFUSED') });
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(10_000);
  });

  it.each([
    ['is no JSON', 'application/json', '{"data":{"viewer"'],
    ['is a page', 'text/html', '<html></html>'],
  ])('is tried again where the answer %s', async (_name, contentType, body) => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.writeHead(200, { 'content-type': contentType }).end(body);
    });
    const { client } = hurried({ url, retrySeconds: 1 });
    await expect(client.viewer()).rejects.toBeInstanceOf(NetworkError);
    expect(asked).toBeGreaterThan(1);
  });

  it.each([400, 401, 403, 404, 413])('is not tried again on %i', async (status) => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.writeHead(status).end();
    });
    const { client } = hurried({ url });
    await expect(client.generateImage({ prompt: 'x' })).rejects.toMatchObject({
      idempotencyKey: expect.any(String),
    });
    expect(asked).toBe(1);
  });
});

describe('a newer gateway', () => {
  it('may answer a member that this version does not know', async () => {
    const url = await serve((_request, response) => {
      const startGeneration = { __typename: 'MoonPhaseError', message: 'Wait for it.', retryable: true };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ data: { startGeneration } }));
    });
    const error = await createClient({ url })
      .generateImage({ prompt: 'x' })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnexpectedResultError);
    expect(error).toMatchObject({ typename: 'MoonPhaseError', message: 'Wait for it.', retryable: true });
  });
});

describe('request', () => {
  it("sends one's own operations, with the same errors", async () => {
    const client = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
    const document = parse(
      'query ($first: Int!) { generations(first: $first) { edges { node { id } } } }',
    ) as TypedDocumentNode<{ generations: { edges: { node: { id: string } }[] } }, { first: number }>;
    const { generation } = await client.generateImage({ prompt: 'The newest' });
    const { generations } = await client.request(document, { first: 1 });
    expect(generations.edges).toEqual([{ node: { id: generation.id } }]);
    await expect(client.request(document, { first: 101 })).rejects.toBeInstanceOf(RefusedRequestError);
    await expect(client.request(document, { first: 101 })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  it('tries queries again, and mutations not', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.writeHead(503).end();
    });
    const { client } = hurried({ url });
    const own = (text: string) => parse(text) as TypedDocumentNode<unknown, Record<string, never>>;
    await expect(client.request(own('mutation { a }'), {})).rejects.toBeInstanceOf(GatewayUnavailableError);
    expect(asked).toBe(1);
    await expect(client.request(own('{ a }'), {})).rejects.toBeInstanceOf(GatewayUnavailableError);
    expect(asked).toBeGreaterThan(2);
  });
});

import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { createHooks, type HookingPlugin, type HttpHooks } from '../../src/http/hooks.ts';
import { makePrincipal } from '../../src/testing/made-up.ts';
import {
  AUTHORIZED,
  type HookedListenerOptions,
  hooking,
  startHookedListener,
} from '../support/hooked-listener.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(plugins: readonly HookingPlugin[], options?: HookedListenerOptions) {
  const listener = await startHookedListener(plugins, options);
  closers.push(listener.close);
  return listener;
}

describe('onRequest', () => {
  it('answers before anything else does, or lets pass', async () => {
    const { fetch, graphql } = await start([
      hooking({
        onRequest: (request) =>
          request.headers.has('authorization')
            ? undefined
            : new Response('Closed until noon.', { status: 503, headers: { 'retry-after': '60' } }),
      }),
    ]);
    for (const path of ['/', '/graphql', '/images/x', '/nowhere']) {
      const response = await fetch(path);
      expect(response.status, path).toBe(503);
      expect(response.headers.get('retry-after')).toBe('60');
      expect(response.headers.get('x-request-id')).toMatch(/.+/);
      expect(await response.text()).toBe('Closed until noon.');
    }
    expect(await (await graphql({ query: '{ b }' })).json()).toEqual({ data: { got: { query: '{ b }' } } });
  });

  it('is told who connects and under which id, and sees everything of the request but its body', async () => {
    const seen: unknown[] = [];
    const { fetch } = await start([
      hooking({
        async onRequest({ method, url, headers, body }, call) {
          seen.push({ method, path: new URL(url).pathname, header: headers.get('x-own'), body, ...call });
          return undefined;
        },
      }),
    ]);
    await fetch('/graphql?a=1', {
      method: 'POST',
      body: '{}',
      headers: { 'x-own': 'a', 'x-request-id': 'id-1' },
    });
    expect(seen).toEqual([
      {
        method: 'POST',
        path: '/graphql',
        header: 'a',
        body: null,
        requestId: 'id-1',
        remoteAddress: '127.0.0.1',
      },
    ]);
  });

  it('does not come between the gateway and its probes', async () => {
    const { fetch } = await start([
      hooking({
        onRequest: () => new Response('closed', { status: 503 }),
        onResponse: () => Response.error(),
      }),
    ]);
    expect((await fetch('/healthz')).status).toBe(200);
    expect((await fetch('/readyz')).status).toBe(200);
  });

  it('sees WebSockets too, and can refuse them', async () => {
    const { askForWebSocket, upgraded } = await start([
      hooking({
        onRequest: (request, { remoteAddress }) =>
          remoteAddress === '127.0.0.1' && request.headers.get('x-own') === 'a'
            ? undefined
            : new Response('Not from there.', { status: 403, headers: { 'x-why': 'list' } }),
      }),
    ]);
    const ask = (...headers: string[]) => text(askForWebSocket({ headers }));
    const refused = await ask('X-Own: b');
    expect(refused).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(refused).toMatch(/\r\nx-why: list\r\n/);
    expect(refused).toMatch(/\r\n\r\nNot from there\.$/);
    expect(upgraded).toEqual([]);
    expect(await ask('X-Own: a')).toMatch(/^HTTP\/1\.1 404/);
    expect(upgraded).toEqual(['/graphql']);
  });
});

describe('onResponse', () => {
  it('sets headers of every answer, an image and an endless one included, and reads none', async () => {
    const { fetch } = await start([
      hooking({
        onResponse(response) {
          response.headers.set('x-own', 'a');
          return undefined;
        },
      }),
    ]);
    for (const path of ['/', '/images/x', '/nowhere']) {
      expect((await fetch(path)).headers.get('x-own'), path).toBe('a');
    }
    const stream = await fetch('/graphql', { headers: { accept: 'text/event-stream', ...AUTHORIZED } });
    expect(stream.headers.get('x-own')).toBe('a');
    const { value } = (await stream.body?.getReader().read()) ?? {};
    expect(value?.length).toBeGreaterThan(0);
  });

  it('can give another answer, and take headers away', async () => {
    const { fetch } = await start([
      hooking({
        onResponse: (response) => {
          response.headers.delete('x-image');
          return response.status === 404 ? Response.redirect('https://docs.example/', 302) : response;
        },
      }),
    ]);
    const lost = await fetch('/nowhere');
    expect(lost.status).toBe(302);
    expect(lost.headers.get('location')).toBe('https://docs.example/');
    expect(lost.headers.get('x-request-id')).toMatch(/.+/);
    const image = await fetch('/images/x');
    expect(image.headers.has('x-image')).toBe(false);
    expect(await image.text()).toBe('an image');
  });

  it('is told who called, where that is known', async () => {
    const seen: unknown[] = [];
    const { fetch, graphql } = await start([
      hooking({
        onResponse(response, { principal, request, requestId }) {
          seen.push([response.status, principal?.clientName, request.method, requestId.length > 0]);
          return undefined;
        },
      }),
    ]);
    await graphql();
    await fetch('/graphql', { headers: { authorization: 'Bearer wrong' } });
    expect(seen).toEqual([
      [200, 'tests', 'POST', true],
      [401, undefined, 'GET', true],
    ]);
  });
});

describe('the hooks of several plug-ins', () => {
  it('lie around each other: the first is outermost', async () => {
    const calls: string[] = [];
    const plugin = (name: string, answers = false) =>
      hooking(
        {
          onRequest() {
            calls.push(`${name} in`);
            return answers ? new Response(name) : undefined;
          },
          onResponse() {
            calls.push(`${name} out`);
            return undefined;
          },
        },
        name,
      );
    const passing = await start([plugin('a'), plugin('b')]);
    await passing.fetch('/images/x');
    expect(calls.splice(0)).toEqual(['a in', 'b in', 'b out', 'a out']);
    const answering = await start([plugin('a'), plugin('b', true), plugin('c')]);
    expect(await (await answering.fetch('/images/x')).text()).toBe('b');
    expect(calls).toEqual(['a in', 'b in', 'b out', 'a out']);
  });
});

describe('a hook that fails', () => {
  const SECRET = 's3cr3t of the hook';
  const failing = () => {
    throw new Error(SECRET);
  };
  const cases: [string, HttpHooks, string][] = [
    ['onRequest throws', { onRequest: failing }, '/images/x'],
    ['onRequest rejects', { onRequest: async () => failing() }, '/images/x'],
    ['onResponse throws', { onResponse: failing }, '/images/x'],
    ['something else than an Error is thrown', { onRequest: () => Promise.reject(SECRET) }, '/images/x'],
    ['no Response is returned', { onRequest: () => SECRET as never }, '/images/x'],
    ['a route throws', { routes: [{ method: 'GET', path: '/own', public: true, handler: failing }] }, '/own'],
    [
      'a route returns nothing',
      { routes: [{ method: 'GET', path: '/own', public: true, handler: () => undefined as never }] },
      '/own',
    ],
  ];

  it.each(cases)('is a masked 500, and a line that names the plug-in: %s', async (_about, hooks, path) => {
    const { fetch, logLines } = await start([hooking(hooks, 'clumsy')]);
    const requestId = randomUUID();
    const response = await fetch(path, { headers: { 'x-request-id': requestId } });
    expect(response.status).toBe(500);
    expect(response.headers.get('x-request-id')).toBe(requestId);
    expect(await response.json()).toEqual({ error: 'The gateway failed unexpectedly.' });
    const told = logLines.filter((line) => line.includes('clumsy') && line.includes(requestId));
    expect(told).toHaveLength(1);
  });

  it('refuses a WebSocket', async () => {
    const { askForWebSocket, upgraded, logLines } = await start([hooking({ onRequest: failing }, 'clumsy')]);
    const answer = await text(askForWebSocket());
    expect(answer).toMatch(/^HTTP\/1\.1 500 /);
    expect(answer).not.toContain(SECRET);
    expect(upgraded).toEqual([]);
    expect(logLines.filter((line) => line.includes('clumsy'))).toHaveLength(1);
  });
});

describe('a route of a plug-in', () => {
  it('answers at its path, by its method, with what came to it', async () => {
    const { fetch } = await start([
      hooking({
        routes: [
          {
            method: 'POST',
            path: '/oauth/callback',
            public: true,
            handler: async (request, { requestId, remoteAddress, principal }) =>
              Response.json({
                body: await request.text(),
                code: new URL(request.url).searchParams.get('code'),
                requestId,
                remoteAddress,
                principal: principal?.clientName,
              }),
          },
          { method: 'GET', path: '/oauth/callback', public: true, handler: () => new Response('a page') },
        ],
      }),
    ]);
    const response = await fetch('/oauth/callback?code=abc', {
      method: 'POST',
      body: 'hello',
      headers: { 'x-request-id': 'id-1' },
    });
    expect(await response.json()).toEqual({
      body: 'hello',
      code: 'abc',
      requestId: 'id-1',
      remoteAddress: '127.0.0.1',
    });
    expect(await (await fetch('/oauth/callback')).text()).toBe('a page');
    const wrong = await fetch('/oauth/callback', { method: 'DELETE' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST, GET');
    expect((await fetch('/oauth/callback/deeper')).status).toBe(404);
  });

  it('needs an API key, unless the plug-in says that it is public', async () => {
    const { fetch } = await start([
      hooking({
        routes: [
          {
            method: 'GET',
            path: '/own',
            handler: (_request, { principal }) => new Response(principal?.clientName),
          },
          { method: 'GET', path: '/metrics', public: true, handler: () => new Response('up 1') },
        ],
      }),
    ]);
    const stranger = await fetch('/own');
    expect(stranger.status).toBe(401);
    expect(stranger.headers.get('www-authenticate')).toBe('Bearer');
    expect((await fetch('/own', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    expect(await (await fetch('/own', { headers: AUTHORIZED })).text()).toBe('tests');
    expect(await (await fetch('/metrics')).text()).toBe('up 1');
  });

  it.each(['Basic YTpi', 'Bearer of-somebody-else', 'Digest', ''])(
    'that is public takes an Authorization of its own: %j',
    async (authorization) => {
      const { fetch } = await start([
        hooking({
          routes: [
            {
              method: 'POST',
              path: '/own',
              public: true,
              handler: ({ headers }, { principal }) =>
                Response.json([headers.get('authorization'), principal?.clientName ?? null]),
            },
          ],
        }),
      ]);
      const ask = (headers: Record<string, string>) => fetch('/own', { method: 'POST', headers });
      const foreign = await ask({ authorization });
      expect([foreign.status, await foreign.json()]).toEqual([200, [authorization, null]]);
      expect(foreign.headers.get('www-authenticate')).toBeNull();
      expect(await (await ask(AUTHORIZED)).json()).toEqual([AUTHORIZED.authorization, 'tests']);
    },
  );

  it('needs the scope that the plug-in names', async () => {
    const plugin = hooking({
      routes: [{ method: 'GET', path: '/own', scope: 'audit:read', handler: () => new Response('yes') }],
    });
    const without = await start([plugin]);
    expect((await without.fetch('/own')).status).toBe(401);
    expect((await without.fetch('/own', { headers: AUTHORIZED })).status).toBe(403);
    const reader = await start([plugin], { principal: makePrincipal({ scopes: new Set(['audit:read']) }) });
    expect((await reader.fetch('/own', { headers: AUTHORIZED })).status).toBe(200);
  });

  it('takes a body of a megabyte at most', async () => {
    const { fetch } = await start([
      hooking({
        routes: [
          {
            method: 'PUT',
            path: '/own',
            public: true,
            handler: async (request) => new Response(String((await request.text()).length)),
          },
        ],
      }),
    ]);
    const put = (byteSize: number) => fetch('/own', { method: 'PUT', body: 'a'.repeat(byteSize) });
    expect(await (await put(1024 * 1024)).text()).toBe(String(1024 * 1024));
    expect((await put(1024 * 1024 + 1)).status).toBe(413);
  });

  it.each(['/', '/graphql', '/graphql/own', '/images/own', '/healthz', '/readyz'])(
    'can’t be the gateway’s own: %s',
    (path) => {
      const route = { method: 'GET', path, handler: () => new Response() } as const;
      expect(() => createHooks([hooking({ routes: [route] }, 'greedy')])).toThrow(
        new ConfigError(`The plug-in "greedy" can't answer GET ${path}: the gateway does.`),
      );
    },
  );

  it('can’t be another plug-in’s', () => {
    const route = { method: 'GET', path: '/own', handler: () => new Response() } as const;
    const other = { ...route, method: 'POST' } as const;
    const plugins = [hooking({ routes: [route, other] }, 'one'), hooking({ routes: [route] }, 'two')];
    expect(() => createHooks(plugins)).toThrow(
      new ConfigError('The plug-in "two" can\'t answer GET /own: the plug-in "one" does.'),
    );
  });
});

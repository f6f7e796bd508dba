import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import pino from 'pino';
import type { Principal } from '../../src/generation.ts';
import { createApp } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/authenticate.ts';
import type { Graphql } from '../../src/http/graphql.ts';
import { guardUpgrade, type UpgradeLimits } from '../../src/http/guard-upgrade.ts';
import { createHooks, type HookingPlugin, type HttpHooks } from '../../src/http/hooks.ts';
import { listen } from '../../src/http/listen.ts';
import { createLive } from '../../src/http/live.ts';
import { makePrincipal } from '../../src/testing/made-up.ts';

const KEY = 'admin-key-of-the-tests';
export const AUTHORIZED = { authorization: `Bearer ${KEY}` };
const ENDLESS = new TextEncoder().encode('data: {}\n\n');

export interface HookedListenerOptions {
  /** Whose key it is. */
  readonly principal?: Principal;
  readonly corsOrigins?: readonly string[];
  readonly images?: () => Response;
  readonly limits?: UpgradeLimits;
}

/** The listener with its routes and the hooks of these plug-ins, behind which GraphQL answers with what it got. */
export async function startHookedListener(
  plugins: readonly HookingPlugin[],
  { principal = makePrincipal(), corsOrigins, images, limits }: HookedListenerOptions = {},
) {
  const logLines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void logLines.push(line) });
  let openStreams = 0;
  const graphql = {
    async handle(request: Request) {
      if (request.headers.get('accept') === 'text/event-stream') {
        openStreams += 1;
        const body = new ReadableStream({
          pull: (controller) => controller.enqueue(ENDLESS),
          cancel() {
            openStreams -= 1;
          },
        });
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
      }
      return Response.json({ data: { got: await request.json() } });
    },
  } as unknown as Graphql;
  const authenticator = createAuthenticator({
    findKey: async () => undefined,
    bootstrap: { sha256: createHash('sha256').update(KEY).digest('hex'), principal },
    mayCache: () => false,
    onUse: () => undefined,
  });
  const hooks = createHooks(plugins);
  const app = createApp({
    graphql,
    authenticator,
    images: async () => images?.() ?? new Response('an image', { headers: { 'x-image': 'yes' } }),
    createContext: (call) => call as never,
    live: createLive(),
    ready: async () => undefined,
    hooks,
    corsOrigins,
    log,
  });
  const upgraded: string[] = [];
  const listener = await listen({
    fetch: app.fetch,
    upgrade: guardUpgrade(
      (request, socket) => {
        upgraded.push(request.url ?? '');
        socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      },
      hooks,
      log,
      limits,
    ),
    port: 0,
    host: '127.0.0.1',
  });
  const url = `http://127.0.0.1:${listener.port}`;
  return {
    logLines,
    /** The targets of the wishes for a WebSocket that were granted. */
    upgraded,
    /** Streams of events that somebody could still read. */
    openStreams: () => openStreams,
    fetch: (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { redirect: 'manual', ...init }),
    graphql: (body: unknown = { query: '{ a }' }, headers: Record<string, string> = {}) =>
      fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...AUTHORIZED, ...headers },
        body: JSON.stringify(body),
      }),
    /** Asks for a WebSocket, by lines that are sent as they are. */
    askForWebSocket({ target = '/graphql', host = 'gesso', headers = [] }: WebSocketWish = {}): Socket {
      const socket = connect(listener.port, '127.0.0.1');
      const lines = [`GET ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket'];
      socket.write(`${[...lines, ...headers].join('\r\n')}\r\n\r\n`);
      return socket;
    },
    async close() {
      listener.cut();
      await listener.close();
    },
  };
}

export interface WebSocketWish {
  /** @default '/graphql' */
  readonly target?: string;
  /** @default 'gesso' */
  readonly host?: string;
  /** Whole lines. */
  readonly headers?: readonly string[];
}

export const hooking = (httpHooks: HttpHooks, name = 'made-up'): HookingPlugin => ({ name, httpHooks });

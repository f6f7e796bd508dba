import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { UnauthenticatedError } from '../errors.ts';
import type { Principal } from '../generation.ts';
import type { Context } from '../schema/context.ts';
import type { Authenticator } from './authenticate.ts';
import type { Graphql, SubscriptionRoot } from './graphql.ts';
import type { Live } from './live.ts';
import { keepAlive } from './websocket-keep-alive.ts';

export interface WebSocketOptions {
  readonly graphql: Graphql;
  readonly authenticator: Authenticator;
  readonly createContext: (call: {
    principal: Principal | undefined;
    requestId: string;
    signal: AbortSignal;
  }) => Context;
  readonly live: Live;
  readonly log: Logger;
}

/** Of one message; an operation is far smaller. */
const MAX_MESSAGE_BYTES = 128 * 1024;
/** Of the first message, which says who it is. */
const MAX_FIRST_MESSAGE_BYTES = 8 * 1024;
const MAX_SUBSCRIPTIONS = 100;
/** Of one socket that are being handled: its subscriptions, and what comes beside them. */
const MAX_MESSAGES_AT_ONCE = MAX_SUBSCRIPTIONS + 20;
/** Sockets that have not said who they are; more are refused until some have. */
const MAX_STRANGERS = 1_000;
/** What may wait to be read by a client that reads slowly, in bytes. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** Until a socket has said who it is, in milliseconds. */
const INIT_WAIT_MS = 10_000;
/** Below what proxies allow a connection to be idle (nginx: 60 s), in milliseconds. */
const PING_MS = 12_000;
/** A socket that was told to close has so long to do it, in milliseconds. */
const CLOSING_MS = 1_000;
/** Of RFC 6455's registry: come back in a moment, perhaps to another replica. */
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
const MESSAGE_TOO_BIG = 1009;
const POLICY_VIOLATION = 1008;

/** Closes the socket, also when its client does not answer to that. */
function closeSoon(socket: WebSocket, code: number, reason: string | undefined): void {
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), CLOSING_MS).unref();
}

interface Extra extends Record<PropertyKey, unknown> {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  principal?: Principal;
  signal?: AbortSignal;
}

/**
 * Subscriptions over WebSocket, in the protocol `graphql-transport-ws`. The key is in the first message, as
 * `{ "Authorization": "Bearer …" }`, or in the header. Queries and mutations are for HTTP.
 */
export function createWebSockets({ graphql, authenticator, createContext, live, log }: WebSocketOptions) {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, handleProtocols });
  const strangers = new Set<WebSocket>();

  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: INIT_WAIT_MS,
    async onConnect({ connectionParams, extra }) {
      const { socket, request } = extra;
      const given = connectionParams?.Authorization ?? connectionParams?.authorization;
      try {
        const header = typeof given === 'string' ? given : request.headers.authorization;
        const principal = await authenticator.authenticate(header ?? null);
        if (principal === undefined) throw new UnauthenticatedError('This needs an API key.');
        strangers.delete(socket);
        extra.principal = principal;
        extra.signal = closedOrRevoked(socket, principal);
        log.info({ client: principal.clientName }, 'a socket for subscriptions was opened');
        return true;
      } catch (error) {
        if (error instanceof UnauthenticatedError) closeSoon(socket, CloseCode.Unauthorized, error.message);
        else {
          log.warn({ err: error }, 'a socket could not be authenticated');
          closeSoon(socket, TRY_AGAIN_LATER, 'Try again later.');
        }
        return false;
      }
    },
    async onSubscribe({ extra, subscriptions }, _id, payload) {
      const { principal, signal } = extra;
      if (principal === undefined || signal === undefined) throw new TypeError('The socket has no caller.');
      if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS) {
        const message = `One socket carries ${MAX_SUBSCRIPTIONS} subscriptions at most.`;
        return [new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } })];
      }
      const context = createContext({ principal, requestId: randomUUID(), signal });
      return graphql.subscription(payload, context);
    },
    subscribe: ({ rootValue, ...args }) => (rootValue as SubscriptionRoot).subscribe(args),
  });

  /** Aborted when the socket closes; closes it when its key is revoked. */
  function closedOrRevoked(socket: WebSocket, principal: Principal): AbortSignal {
    const closed = new AbortController();
    const revocation = authenticator.watch(principal);
    revocation.signal.addEventListener('abort', () =>
      closeSoon(socket, CloseCode.Unauthorized, 'The API key was revoked.'),
    );
    socket.once('close', () => {
      revocation.release();
      closed.abort();
    });
    return closed.signal;
  }

  function opened(socket: WebSocket, request: IncomingMessage): void {
    strangers.add(socket);
    const stopKeepingAlive = keepAlive(socket, PING_MS);
    let messagesAtOnce = 0;
    const send = (data: string): Promise<void> =>
      new Promise((resolve, reject) => {
        // Whoever does not read is not written to: what waits would fill the memory.
        if (socket.bufferedAmount > MAX_UNREAD_BYTES) socket.terminate();
        if (socket.readyState !== socket.OPEN) resolve();
        else socket.send(data, (error) => (error == null ? resolve() : reject(error)));
      });
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send,
        close: (code = CloseCode.InternalServerError, reason) => closeSoon(socket, code, reason),
        // Answered without what came with it, of which a client could send more than it reads.
        onPing: () => send('{"type":"pong"}'),
        onMessage: (take) =>
          void socket.on('message', (data: Buffer) => {
            const tooLong = strangers.has(socket) && data.length > MAX_FIRST_MESSAGE_BYTES;
            if (tooLong || messagesAtOnce >= MAX_MESSAGES_AT_ONCE) {
              return closeSoon(socket, tooLong ? MESSAGE_TOO_BIG : POLICY_VIOLATION, 'That is too much.');
            }
            messagesAtOnce += 1;
            take(String(data))
              .catch((error: unknown) => {
                log.error({ err: error }, 'a message of a socket could not be handled');
                closeSoon(socket, CloseCode.InternalServerError, 'The gateway failed unexpectedly.');
              })
              .finally(() => {
                messagesAtOnce -= 1;
              });
          }),
      },
      { socket, request },
    );
    socket.once('close', (code, reason) => {
      strangers.delete(socket);
      stopKeepingAlive();
      closed(code, String(reason))?.catch((error: unknown) =>
        log.warn({ err: error }, 'the subscriptions of a socket could not be closed'),
      );
    });
  }

  const onSocketError = (error: unknown): void =>
    log.debug({ err: error }, 'a socket for subscriptions failed');

  /** The status that a wish for a WebSocket is refused with; undefined where it is granted. */
  function refusalOf({ url }: IncomingMessage): string | undefined {
    if (url?.split('?')[0] !== '/graphql') return '404 Not Found';
    const isFull = live.signal.aborted || strangers.size >= MAX_STRANGERS;
    return isFull ? '503 Service Unavailable' : undefined;
  }

  live.signal.addEventListener('abort', () => {
    for (const socket of server.clients) closeSoon(socket, SERVICE_RESTART, 'Connect again.');
  });

  return {
    /** Takes over a connection that asks to be a WebSocket. */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      // Nobody listens to it any more; unheard, a client that breaks off would end the process.
      socket.on('error', onSocketError);
      const refusal = refusalOf(request);
      if (refusal === undefined) {
        server.handleUpgrade(request, socket, head, (upgraded) => {
          upgraded.on('error', onSocketError);
          opened(upgraded, request);
        });
      } else {
        const answer = `HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
        socket.end(answer, () => socket.destroy());
      }
    },
  };
}

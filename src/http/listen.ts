import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { ConfigError } from '../errors.ts';

export interface ListenOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Takes over a connection that asks for another protocol. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly port: number;
  readonly host: string;
}

/** Connections that may wait to be accepted, when many come at once; the system may allow fewer. */
const BACKLOG = 4096;

/** While the listener closes, how often connections that have become idle are closed, in milliseconds. */
const IDLE_SWEEP_MS = 50;

/** Opens the one listener. */
export async function listen({ fetch, upgrade, port, host }: ListenOptions) {
  const server = createAdaptorServer({
    fetch,
    createServer,
    overrideGlobalObjects: false,
    serverOptions: {
      // Two Authorization headers are one wrong header, not a choice.
      joinDuplicateHeaders: true,
      // A mutation waits for minutes: how long is the gateway's to say, not the socket's.
      requestTimeout: 60_000,
      headersTimeout: 30_000,
      keepAliveTimeout: 65_000,
      // Any other protocol that a client would like (h2c) is not spoken here: its request is answered as it is.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
  }) as Server;
  // From here on they are no longer the server's: it neither counts nor closes them.
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    upgrade(request, socket, head);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const message = `Port ${port} on ${host} is in use: set PORT to another one.`;
      reject(error.code === 'EADDRINUSE' ? new ConfigError(message, { cause: error }) : error);
    });
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });

  return {
    /** The one that was taken. */
    port: (server.address() as AddressInfo).port,
    /** Stops accepting; resolves when every open request is answered. Idle connections are closed. */
    close(): Promise<void> {
      return new Promise((resolve, reject) => {
        // One that is kept alive after its last answer would hold the close up for as long as its client likes.
        const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
        server.close((error) => {
          clearInterval(sweep);
          if (error === undefined) resolve();
          else reject(error);
        });
        server.closeIdleConnections();
      });
    },
    /** Cuts what is still open. */
    cut(): void {
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    },
  };
}

export type Listener = Awaited<ReturnType<typeof listen>>;

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';

export interface ListenOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly port: number;
  readonly host: string;
}

/** Opens the one listener. */
export async function listen({ fetch, port, host }: ListenOptions) {
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
    },
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

  return {
    /** The one that was taken. */
    port: (server.address() as AddressInfo).port,
    /** Stops accepting; resolves when every open request is answered. Idle connections are closed at once. */
    close(): Promise<void> {
      return new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeIdleConnections();
      });
    },
    /** Cuts what is still open. */
    cut: (): void => server.closeAllConnections(),
  };
}

export type Listener = Awaited<ReturnType<typeof listen>>;

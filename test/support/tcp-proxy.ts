import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net';

/** Stands between the gateway and its PostgreSQL, so that a test can take it away and give it back. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections were turned away since the last `cut`. */
  readonly refused: number;
  /** Resets what is open, and whoever comes, at once. */
  cut(): void;
  restore(): void;
  close(): Promise<void>;
}

/** Listens on loopback and passes everything on to `target`. */
export async function startTcpProxy(target: NetConnectOpts): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let isCut = false;
  let refused = 0;
  const server = createServer((incoming) => {
    // What is cut on purpose fails on both sides, which is the point.
    incoming.on('error', () => undefined);
    if (isCut) {
      refused += 1;
      incoming.resetAndDestroy();
      return;
    }
    const outgoing = connect(target);
    outgoing.on('error', () => incoming.destroy());
    open.add(incoming);
    incoming.on('close', () => {
      open.delete(incoming);
      outgoing.destroy();
    });
    incoming.pipe(outgoing).pipe(incoming);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): void => {
    isCut = true;
    refused = 0;
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get refused() {
      return refused;
    },
    cut,
    restore() {
      isCut = false;
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The server of a `postgres:` URL as the tests have them, and the same URL by way of the proxy. */
export async function proxyTo(databaseUrl: string): Promise<{ url: string; proxy: TcpProxy }> {
  const url = new URL(databaseUrl);
  const folder = url.searchParams.get('host');
  const port = url.port || '5432';
  const target =
    folder === null ? { host: url.hostname, port: Number(port) } : { path: `${folder}/.s.PGSQL.${port}` };
  const proxy = await startTcpProxy(target);
  url.searchParams.delete('host');
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  return { url: url.href, proxy };
}

import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Where the server listens, in node-postgres' words: `host` is an address, or the folder of a Unix socket. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Names the socket file, `.s.PGSQL.5432`; nothing listens on this port. */
const SOCKET_PORT = 5432;

/** `sun_path` holds 104 bytes on macOS and 108 on Linux, one of them for the final NUL. */
const LONGEST_SOCKET_PATH = 103;

/**
 * The socket in PostgreSQL's own folder, which none but its user may enter: about an eighth less time for a
 * round trip than loopback TCP, and no port that another program could take between two starts. Undefined
 * where the path is too long for a socket, and on Windows.
 */
export function socketEndpoint(
  cluster: string,
  platform: NodeJS.Platform = process.platform,
): Endpoint | undefined {
  const endpoint = { host: cluster, port: SOCKET_PORT };
  const fits = Buffer.byteLength(socketPath(endpoint)) <= LONGEST_SOCKET_PATH;
  return platform !== 'win32' && fits ? endpoint : undefined;
}

export const usesSocket = (endpoint: Endpoint): boolean => endpoint.host !== LOOPBACK;

export const socketPath = ({ host, port }: Endpoint): string => join(host, `.s.PGSQL.${port}`);

const LOOPBACK = '127.0.0.1';

/**
 * A free port on loopback, below those that systems hand out for outgoing connections, so that it is still
 * free when the server has to be started again.
 */
export async function loopbackEndpoint(): Promise<Endpoint> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    if (await isFree(port)) return { host: LOOPBACK, port };
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, LOOPBACK);
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

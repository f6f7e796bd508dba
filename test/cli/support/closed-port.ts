import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export interface ClosedPort {
  /** Whoever connects to it on 127.0.0.1 is refused. */
  readonly port: number;
  release(): void;
}

/**
 * A port that nobody listens on, and that nobody is given meanwhile: it is at this end of a connection. A port that
 * was merely free a moment ago may be the next server's.
 */
export async function closedPort(): Promise<ClosedPort> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
  const taken = socket.localPort;
  if (taken === undefined) throw new Error('The system gave no port.');
  return {
    port: taken,
    release() {
      socket.destroy();
      accepted.destroy();
      server.close();
    },
  };
}

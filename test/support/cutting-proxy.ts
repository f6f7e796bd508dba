import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Where a connection is cut, and how. */
export interface Cut {
  /**
   * - `connect`: as soon as it is there;
   * - `request`: when so many bytes of what the client sends were passed on;
   * - `answer`: when so many bytes of what the server sends were passed on.
   */
  readonly at: 'connect' | 'request' | 'answer';
  /** @default 0 */
  readonly bytes?: number;
  /** A reset (TCP RST), or an end in good order (TCP FIN). @default 'reset' */
  readonly by?: 'reset' | 'end';
}

/** In bytes. */
export interface Carried {
  readonly request: number;
  readonly answer: number;
  /** Of the first request, up to the first byte of its answer. */
  readonly firstRequest: number;
  /** Of the first answer, up to the first byte of the next request. */
  readonly firstAnswer: number;
}

export interface CuttingProxy {
  /** Without a slash at the end. */
  readonly url: string;
  /** How many of the cuts were made. */
  readonly cuts: number;
  /** What the longest connection has carried so far. */
  readonly carried: Carried;
  close(): Promise<void>;
}

/**
 * Stands between a client and `target`, byte for byte. Each new connection takes the next cut of the plan; when there
 * is none left, it is passed through.
 */
export async function startCuttingProxy(target: string, plan: readonly Cut[]): Promise<CuttingProxy> {
  const { hostname: host, port } = new URL(target);
  const left = [...plan];
  const open = new Set<Socket>();
  const carried = { request: 0, answer: 0, firstRequest: 0, firstAnswer: 0 };
  let cuts = 0;

  const server = createServer((incoming) => {
    const cut = left.shift();
    const outgoing = connect({ host, port: Number(port) });
    open.add(incoming).add(outgoing);
    // What is cut on purpose fails on both sides, which is the point.
    for (const socket of [incoming, outgoing]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        for (const other of [incoming, outgoing]) other.destroy();
      });
    }

    const end = (): void => {
      cuts += 1;
      if (cut?.by === 'end') {
        incoming.end();
        outgoing.end();
      } else {
        incoming.resetAndDestroy();
        outgoing.resetAndDestroy();
      }
    };
    /** Passes on what comes, up to the cut. */
    const pass = (direction: 'request' | 'answer', from: Socket, to: Socket): void => {
      let passed = 0;
      const limit = cut?.at === direction ? (cut.bytes ?? 0) : Number.POSITIVE_INFINITY;
      from.on('data', (chunk) => {
        if (passed >= limit) return;
        const part = chunk.subarray(0, limit - passed);
        passed += part.byteLength;
        if (direction === 'answer' && carried.firstRequest === 0) carried.firstRequest = carried.request;
        if (direction === 'request' && carried.firstAnswer === 0) carried.firstAnswer = carried.answer;
        carried[direction] = Math.max(carried[direction], passed);
        // Cut once these bytes are with the system, so that they do arrive.
        to.write(part, () => {
          if (passed >= limit) end();
        });
      });
      from.on('end', () => to.end());
    };
    if (cut?.at === 'connect') return end();
    if (cut !== undefined && (cut.bytes ?? 0) === 0 && cut.at === 'request') return end();
    pass('request', incoming, outgoing);
    if (cut?.at === 'answer' && (cut.bytes ?? 0) === 0) {
      // Not a byte of the answer goes through, and it is cut when the answer has come.
      outgoing.once('data', end);
    } else pass('answer', outgoing, incoming);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    carried,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A way over loopback that can fall silent, as a network does that drops every packet: nothing is reset or refused. */
export interface SilentLink {
  readonly port: number;
  /** From now on holds back every byte, in both directions, and who comes gets no word. */
  silence(): void;
  /** Delivers what was held back, late, and everything after it. */
  restore(): void;
  close(): Promise<void>;
}

/** Listens on loopback and passes everything on to `target`. */
export async function startSilentLink(target: NetConnectOpts): Promise<SilentLink> {
  const sockets = new Set<Socket>();
  let speaking = Promise.withResolvers<void>();
  speaking.resolve();

  /** Lets a block through once the link speaks; until then, back-pressure keeps the rest where it is. */
  const gate = (): Transform =>
    new Transform({
      transform(block, _encoding, done) {
        void speaking.promise.then(() => done(null, block));
      },
    });
  /** What ends on one side is heard of on the other, when the link speaks. */
  const join = (one: Socket, other: Socket): void => {
    sockets.add(one);
    one.on('error', () => undefined);
    one.on('close', (hadError) => {
      sockets.delete(one);
      // An end in good order comes through the pipe, behind the last block.
      if (hadError) void speaking.promise.then(() => other.destroy());
    });
    one.pipe(gate()).pipe(other);
  };
  const server = createServer((incoming) => {
    const outgoing = connect(target);
    join(incoming, outgoing);
    join(outgoing, incoming);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    silence() {
      speaking = Promise.withResolvers();
    },
    restore: () => speaking.resolve(),
    async close() {
      speaking.resolve();
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

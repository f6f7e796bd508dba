import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createCertificate } from './certificate.ts';

/** The host that the receiver's certificate is for, and that tests let lead to loopback. */
export const RECEIVER_HOST = 'hooks.example.com';

export interface ReceivedWebhook {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it came, which is what is signed. */
  readonly body: string;
}

/** Answers one request; its body has been read. */
export type Answer = (response: ServerResponse, received: ReceivedWebhook) => void;

/** A real HTTPS server on loopback that keeps what it got. */
export interface Receiver {
  readonly port: number;
  /** With the host that its certificate is for. */
  readonly url: string;
  /** What a client must trust, PEM. */
  readonly ca: string;
  readonly received: readonly ReceivedWebhook[];
  /** TCP connections that were opened, whatever came over them. */
  readonly connections: number;
  /** What the next requests get, one after the other; the last one goes on. */
  answerWith(...answers: readonly Answer[]): void;
  /** Forgets what came, and answers 204 again. */
  reset(): void;
  close(): Promise<void>;
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end();

export async function startReceiver(): Promise<Receiver> {
  const { certificate, key } = createCertificate([RECEIVER_HOST, 'localhost']);
  const received: ReceivedWebhook[] = [];
  let answers: readonly Answer[] = [status(204)];
  let connections = 0;

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request;
    const webhook = { method, path, headers: plain(headers), body: await text(request) };
    received.push(webhook);
    const [answer, ...rest] = answers;
    if (rest.length > 0) answers = rest;
    answer?.(response, webhook);
  }

  const server = createServer({ cert: certificate, key }, (request, response) => {
    // A request that is cut off in the middle was not received.
    receive(request, response).catch(() => response.destroy());
  });
  server.on('connection', () => {
    connections += 1;
  });
  // Clients that don't trust it, or are not let in, hang up in the handshake.
  server.on('tlsClientError', () => undefined);
  // All addresses of this machine, so that one that is reached by another way is seen as well.
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://${RECEIVER_HOST}:${port}/gesso?token=of-the-receiver`,
    ca: certificate,
    received,
    get connections() {
      return connections;
    },
    answerWith(...given) {
      answers = given;
    },
    reset() {
      received.length = 0;
      connections = 0;
      answers = [status(204)];
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const plain = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

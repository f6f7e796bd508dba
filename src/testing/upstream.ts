import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The raw body. */
  readonly body: Buffer;
  /** Resolves when the connection that carried the request is closed. */
  readonly closed: Promise<void>;
}

/** What an upstream answers: whole, and in this vendor's wire format. */
export interface WireAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export type Respond = (request: RecordedRequest, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server on loopback that records what it gets and answers as the test says. */
export const startUpstream = async (respond: Respond) => {
  const requests: RecordedRequest[] = [];
  /** Each with the promise of its end: one listener a socket, however many requests it carries. */
  const sockets = new Map<Socket, Promise<void>>();
  let current = respond;

  const server = createServer(async (incoming, response) => {
    const closed = sockets.get(incoming.socket) ?? Promise.resolve();
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const request: RecordedRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      headers: incoming.headers,
      body: Buffer.concat(chunks),
      closed,
    };
    requests.push(request);
    await current(request, response);
  });
  server.on('connection', (socket) => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    sockets.set(socket, closed);
    socket.on('close', () => {
      sockets.delete(socket);
      resolve();
    });
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    openSockets: () => sockets.size,
    /** Changes the answer for the requests to come. */
    answerWith(next: Respond) {
      current = next;
    },
    async close() {
      for (const socket of sockets.keys()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
export type Upstream = Awaited<ReturnType<typeof startUpstream>>;

/** Answers every request with the same whole answer. */
export const answering =
  (answer: WireAnswer): Respond =>
  (_request, response) => {
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };

/** A success of the OpenAI images shape. */
export const imageAnswer = (picture: Buffer, extra: Record<string, unknown> = {}): WireAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(
    JSON.stringify({ created: 1710000000, data: [{ b64_json: picture.toString('base64'), ...extra }] }),
  ),
});

/** An error of the OpenAI shape. */
export const errorAnswer = (
  status: number,
  error: Record<string, unknown> = { message: `Status ${status}.`, code: 'some_code' },
): WireAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ error })),
});

/** Reads a picture to its end; copies, since a block is lent. */
export const readAll = async (picture: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const blocks: Buffer[] = [];
  for await (const block of picture) blocks.push(Buffer.from(block));
  return Buffer.concat(blocks);
};

/** What a promise was rejected with; fails the test where it was not. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`It resolved with ${String(value)}, but should have failed.`);
    },
    (error: unknown) => error,
  );

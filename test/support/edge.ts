import { type Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestGateway } from './gateway.ts';
import type { RawAnswer } from './graphql-client.ts';

export interface EdgeAnswer extends RawAnswer {
  readonly milliseconds: number;
}

/** Posts any body to `/graphql`: text as it is, anything else as JSON. No key is sent unless the headers have one. */
export async function post(
  gateway: { readonly url: string },
  body: unknown,
  headers: Record<string, string> = {},
): Promise<EdgeAnswer> {
  const startedAt = performance.now();
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const answer = (await response.json()) as RawAnswer['body'];
  return {
    status: response.status,
    headers: response.headers,
    body: answer,
    milliseconds: performance.now() - startedAt,
  };
}

/** The codes of an answer's errors, in order. */
export const codesOf = ({ body }: RawAnswer): unknown[] =>
  (body.errors ?? []).map(({ extensions }) => extensions?.code);

export interface PlainRequest {
  /** @default 'POST' */
  readonly method?: string;
  /** Sent as it is. @default '/graphql' */
  readonly path?: string;
  /** Names and values in turn, sent as they are: doubled, empty, in Latin-1. */
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly agent?: Agent;
}

export interface PlainAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One HTTP request that nothing tidies up on the way, as `fetch` would. */
export function sendPlain(
  gateway: { readonly url: string },
  { method = 'POST', path = '/graphql', headers = [], body = '', agent }: PlainRequest,
): Promise<PlainAnswer> {
  const { hostname, port } = new URL(gateway.url);
  const own = ['Host', `${hostname}:${port}`, 'Content-Length', String(Buffer.byteLength(body))];
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        headers: [...own, 'Content-Type', 'application/json', ...headers],
        ...(agent === undefined ? {} : { agent }),
      },
      (incoming) => {
        text(incoming).then(
          (answer) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: answer }),
          reject,
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The log's lines, each parsed; a line that is no JSON fails the test. */
export const logOf = ({ logLines }: TestGateway): Record<string, unknown>[] =>
  logLines.map((line) => JSON.parse(line) as Record<string, unknown>);

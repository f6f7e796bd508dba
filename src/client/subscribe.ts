import { print } from 'graphql';
import { NetworkError } from './errors.ts';
import { createEventParser } from './event-stream.ts';
import { failureOf, refusalOf } from './failure.ts';
import { startLimit } from './limited.ts';
import type { TypedDocumentNode } from './typed-document.ts';

export interface SubscribeOptions {
  readonly endpoint: string;
  readonly fetch: typeof fetch;
  readonly headers: () => Promise<Record<string, string>>;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  /** The gateway tells how things are at once; a proxy that holds that back holds back everything. @default 10 s */
  readonly firstEventMs?: number;
  /** The gateway gives a sign of life every 12 seconds; a longer silence is a connection that is gone. @default 30 s */
  readonly silenceMs?: number;
}

interface Answer<Result> {
  readonly data?: Result | null;
  readonly errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}

/**
 * Subscriptions by server-sent events, in the mode of distinct connections
 * (https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverSSE.md).
 */
export function createSubscribe({
  endpoint,
  fetch,
  headers,
  now,
  firstEventMs = 10_000,
  silenceMs = 30_000,
}: SubscribeOptions) {
  /**
   * What is told, for `maxMs` at most.
   * @throws {GessoError} when it ends in any other way than with `complete`.
   */
  return async function* subscribe<Result, Variables>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    { signal, maxMs }: { signal: AbortSignal | undefined; maxMs: number },
  ): AsyncGenerator<Result, void, undefined> {
    const limit = startLimit(signal, firstEventMs, maxMs);
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: {
          ...(await headers()),
          'content-type': 'application/json',
          accept: 'text/event-stream',
        },
        body: JSON.stringify({ query: print(document), variables }),
        signal: limit.signal,
      });
      const { status, body } = response;
      if (body === null || !isEventStream(response)) {
        throw refusalOf({ status, headers: response.headers, errors: [] }, now());
      }
      for await (const data of eventsOf(body, () => limit.extend(silenceMs))) {
        const { data: result, errors = [] } = JSON.parse(data) as Answer<Result>;
        if (errors.length > 0) throw refusalOf({ status: 200, headers: response.headers, errors }, now());
        if (result != null) yield result;
      }
    } catch (error) {
      throw limit.reasonOf(failureOf(error, now()));
    } finally {
      limit.release();
    }
  };
}

const isEventStream = ({ ok, headers }: Response): boolean =>
  ok && headers.get('content-type')?.startsWith('text/event-stream') === true;

/** The data of each `next`, until `complete`. */
async function* eventsOf(body: ReadableStream<Uint8Array>, onLife: () => void): AsyncGenerator<string> {
  const parse = createEventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let isTold = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new NetworkError('The stream of events ended too early.');
    // Signs of life count only once it is known that events come through.
    if (isTold) onLife();
    for (const { event, data } of parse(decoder.decode(value, { stream: true }))) {
      if (!isTold) onLife();
      isTold = true;
      if (event === 'complete') return;
      if (event === 'next') yield data;
    }
  }
}

import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { GENERATION_FIELDS, type GenerationAnswered } from './background.ts';

export const UPDATED = `subscription ($id: ID!) { generationUpdated(id: $id) { ${GENERATION_FIELDS} } }`;

/** One subscription, as a client reads it. */
export interface Subscribed {
  /** The next event; undefined after the last. Rejects when the connection is lost, or with the first error. */
  next(): Promise<GenerationAnswered | undefined>;
  /** All events that are left. */
  rest(): Promise<GenerationAnswered[]>;
  close(): Promise<void>;
}

export interface SubscribeOptions {
  /** Of the gateway, without a slash at the end. */
  readonly url: string;
  readonly key: string;
  readonly id: string;
}

interface Answer {
  readonly data?: { generationUpdated?: GenerationAnswered } | null;
  readonly errors?: readonly { message: string }[];
}

/** Subscribes by server-sent events, with the client of the `graphql-sse` library, which is told not to retry. */
export function subscribeBySse({ url, key, id }: SubscribeOptions): Subscribed {
  const client = createSseClient({
    url: `${url}/graphql`,
    headers: { Authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
  return read(
    client.iterate({ query: UPDATED, variables: { id } }) as AsyncIterableIterator<Answer>,
    async () => client.dispose(),
  );
}

/** Subscribes by WebSocket, with the client of the `graphql-ws` library, which is told not to retry. */
export function subscribeByWebSocket({ url, key, id }: SubscribeOptions): Subscribed {
  const client = createWebSocketClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
  return read(
    client.iterate({ query: UPDATED, variables: { id } }) as AsyncIterableIterator<Answer>,
    async () => {
      await client.dispose();
    },
  );
}

function read(events: AsyncIterableIterator<Answer>, close: () => Promise<void>): Subscribed {
  async function next(): Promise<GenerationAnswered | undefined> {
    const { done, value } = await events.next();
    if (done === true) return undefined;
    const [error] = value.errors ?? [];
    if (error !== undefined) throw Object.assign(new Error(error.message), error);
    return value.data?.generationUpdated;
  }
  return {
    next,
    async rest() {
      const all: GenerationAnswered[] = [];
      for (let event = await next(); event !== undefined; event = await next()) all.push(event);
      return all;
    },
    close,
  };
}

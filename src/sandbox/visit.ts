import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JournalEntry, JournalWriter } from './journal.ts';
import { readBody } from './read-body.ts';
import { bearerKey, GENERATIONS_PATH, MAX_REQUEST_BYTES, parseJson } from './validate.ts';

/** One request on its way through the sandbox, and its entry in the journal. */
export interface Visit {
  readonly entry: JournalEntry;
  /** The bearer key that was sent, which the entry does not hold. */
  readonly key: string | undefined;
  readonly response: ServerResponse;
  /** Fires when the answer is done or the connection is gone. */
  readonly gone: AbortSignal;
  /** To be called before the sandbox itself ends the connection, so that the client is not said to have left. */
  breaking(): void;
  record(change: Parameters<JournalWriter['update']>[1]): void;
}

export interface ReceiveOptions {
  readonly writer: JournalWriter;
  readonly accepts: (key: string | undefined) => boolean;
  /** Fires when the sandbox closes: connections that end after that were not left by their clients. */
  readonly closing: AbortSignal;
}

/** Reads a request and enters it in the journal. Resolves with undefined when the client left before its end. */
export async function receive(
  incoming: IncomingMessage,
  response: ServerResponse,
  { writer, accepts, closing }: ReceiveOptions,
): Promise<Visit | undefined> {
  const receivedAt = new Date();
  const gone = new AbortController();
  writer.opened();
  response.once('close', () => {
    writer.closed();
    gone.abort();
  });
  // A write that crosses the end of a connection makes an error after `close`, which has said it all.
  response.on('error', () => gone.abort());

  const { body, complete } = await readBody(incoming, MAX_REQUEST_BYTES);
  const path = incoming.url ?? '/';
  const method = incoming.method ?? '';
  const key = bearerKey(incoming.headers);
  const json = parseJson(body);
  const entry = writer.add({
    method,
    path,
    headers: headersWithoutKey(incoming, accepts(key)),
    requestId: incoming.headers['x-request-id']?.toString(),
    body,
    json,
    prompt: promptOf(json),
    call: method === 'POST' && path === GENERATIONS_PATH,
    receivedAt,
  });
  let broken = false;
  const finish = (): void => {
    const clientLeft = !response.writableFinished && !broken && !closing.aborted;
    writer.update(entry, { finishedAt: new Date(), clientLeft });
  };
  if (!complete || gone.signal.aborted) {
    finish();
    return undefined;
  }
  gone.signal.addEventListener('abort', finish, { once: true });
  return {
    entry,
    key,
    response,
    gone: gone.signal,
    breaking: () => {
      broken = true;
    },
    record: (change) => writer.update(entry, change),
  };
}

function headersWithoutKey(incoming: IncomingMessage, accepted: boolean): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  if (headers.authorization !== undefined) headers.authorization = accepted ? 'accepted' : 'refused';
  return headers;
}

function promptOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('prompt' in json)) return undefined;
  return typeof json.prompt === 'string' ? json.prompt : undefined;
}

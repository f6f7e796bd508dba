import type { Dispatcher } from 'undici';
import { createReplyBody, type ReplyBody, type ReplyBodySource } from './reply-body.ts';

export interface HttpCall {
  readonly dispatcher: Dispatcher;
  /** Scheme, host and port. */
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Aborts the call, also while its answer is being read. */
  readonly signal: AbortSignal;
  /** How long the peer may be silent, before the headers and between two parts of the body, in milliseconds; 0 for ever. */
  readonly silenceMs: number;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: ReplyBody;
}

/** The transport failed, or the call was aborted. `cause` is what undici said: not yet safe to show. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** Whether a byte of the request may have left. */
  readonly sent: boolean;
  /** `ECONNRESET`, `UND_ERR_SOCKET`, …; `ABORTED` when the signal ended the call. */
  readonly code: string;
  constructor(message: string, details: { sent: boolean; code: string; cause: unknown }) {
    super(message, { cause: details.cause });
    this.sent = details.sent;
    this.code = details.code;
  }
}

/**
 * Sends one POST, once. Resolves when the headers of the final answer are here; of its body little more is
 * taken than the reader asks for. Follows no redirect.
 *
 * @throws {CallError} also from the body's `read`.
 */
export const call = ({ dispatcher, signal, silenceMs, ...request }: HttpCall): Promise<HttpReply> =>
  new Promise((resolve, reject) => {
    let started: Dispatcher.DispatchController | undefined;
    let body: ReplyBodySource | undefined;
    let over = false;

    const finish = () => {
      over = true;
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: CallError, { atOnce = false } = {}) => {
      if (over) return;
      finish();
      if (body === undefined) reject(error);
      else body.fail(error, { atOnce });
    };
    const errorOf = (message: string, code: string, cause: unknown) =>
      // undici runs onRequestStart on a connected (and, with TLS, authenticated) socket right before the first
      // write. Nothing else tells the two apart: ECONNRESET can come from both sides of that moment.
      new CallError(message, { sent: started !== undefined, code, cause });
    const onAbort = () => {
      const error = errorOf('The call was aborted.', 'ABORTED', signal.reason);
      fail(error, { atOnce: true });
      started?.abort(error);
    };

    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });

    dispatcher.dispatch(
      {
        ...request,
        method: 'POST',
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
      },
      {
        onRequestStart(controller) {
          // Aborted while it waited for a socket. Thrown, because undici then drops the request and keeps the
          // socket; `controller.abort` would close it.
          if (over) throw new Error('Aborted before it was sent.');
          if (started !== undefined) throw new Error('Not sent again: a call goes out once.');
          started = controller;
        },
        onResponseStart(controller, status, headers) {
          if (status < 200) return;
          body = createReplyBody(controller, { byteSize: contentLengthOf(headers) });
          resolve({ status, headers, body });
        },
        onResponseData(_controller, chunk) {
          body?.push(chunk);
        },
        onResponseEnd() {
          finish();
          body?.end();
        },
        onResponseError(_controller, error) {
          fail(errorOf(messageOf(error), codeOf(error), error));
        },
      },
    );
  });

const codeOf = (error: Error): string => {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : error.name;
};

/** An AggregateError (every address of a host refused) has an empty message of its own. */
const messageOf = (error: Error): string =>
  error.message || (error instanceof AggregateError ? error.errors.map(String).join('; ') : error.name);

/** What the headers say of the body's size, in bytes; undefined where they don't, or not clearly. */
function contentLengthOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): number | undefined {
  const length = headers['content-length'];
  return typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

import type { Dispatcher } from 'undici';
import { isFinalRefusal } from './content-policy.ts';
import { AnswerTooLargeError, type Call, type Exchange, RefusedError } from './exchange.ts';

/** A poll is a few hundred bytes. */
const MAX_POLL_BYTES = 64 * 1024;

export interface WatchOptions {
  readonly call: Call;
  readonly method: string;
  /** The generation whose call it certainly is. */
  readonly exchange: Exchange | undefined;
  /** Whatever may end the call. */
  readonly signal: AbortSignal;
  readonly maxBodyBytes: number;
  /** Whether `fetch` may dispatch more than once, as it does to follow redirects. */
  readonly repeats: boolean;
  readonly dispatch: Dispatcher.Dispatch;
}

/** A dispatch for one `fetch`, which notes in `call` what becomes of the request. */
export function watch({
  call,
  method,
  exchange,
  signal,
  maxBodyBytes,
  repeats,
  dispatch,
}: WatchOptions): Dispatcher.Dispatch {
  let dispatched = false;
  return (options, handler) => {
    // As the standard has it, fetch itself sends again after 421.
    if (dispatched && !repeats) throw new Error('Not sent again: a call goes out once.');
    dispatched = true;
    let byteSize = 0;
    let poll: Buffer[] | undefined;
    return dispatch(options, {
      onRequestStart(controller, context) {
        // Thrown, because undici then drops the request and keeps the socket; `controller.abort` would close it.
        if (signal.aborted) throw new Error('Aborted before it was sent.');
        // undici runs this on a connected socket right before the first write; nothing else tells the two apart.
        call.sent = true;
        handler.onRequestStart?.(controller, context);
      },
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStarted: () => handler.onResponseStarted?.(),
      onBodySent: (chunk) => handler.onBodySent?.(chunk),
      onRequestSent: () => handler.onRequestSent?.(),
      onResponseStart(controller, status, headers, statusText) {
        if (status >= 200) {
          call.status = status;
          if (method === 'GET' && /\bjson\b/.test(String(headers['content-type']))) poll = [];
        }
        handler.onResponseStart?.(controller, status, headers, statusText);
      },
      onResponseData(controller, chunk) {
        byteSize += chunk.length;
        if (byteSize > maxBodyBytes) {
          exchange?.abort(new AnswerTooLargeError('The answer is larger than allowed.'));
          controller.abort(new AnswerTooLargeError('The answer is larger than allowed.'));
          return;
        }
        if (byteSize > MAX_POLL_BYTES) poll = undefined;
        poll?.push(Buffer.from(chunk));
        handler.onResponseData?.(controller, chunk);
      },
      onResponseEnd(controller, trailers) {
        handler.onResponseEnd?.(controller, trailers);
        // A vendor's package that does not know the word would poll on until the deadline.
        if (poll !== undefined && isFinalRefusal(parse(poll))) {
          exchange?.abort(new RefusedError('The provider refuses by its content policy.'));
        }
      },
      onResponseError(controller, error) {
        call.code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
        handler.onResponseError?.(controller, error);
      },
    });
  };
}

const parse = (chunks: readonly Buffer[]): unknown => {
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
};

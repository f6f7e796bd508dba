/**
 * Answers that go on for as long as their reader stays, and so have to be ended from here: when the gateway shuts down,
 * and when the key that they were asked for with is revoked.
 */
export interface Live {
  /** Aborted from the moment when nothing may go on, nor be begun. */
  readonly signal: AbortSignal;
  close(): void;
}

export function createLive(): Live {
  const closing = new AbortController();
  return { signal: closing.signal, close: () => closing.abort(new Error('The gateway is shutting down.')) };
}

/** Whether the answer is a stream of server-sent events. */
export const isEventStream = ({ headers, body }: Response): boolean =>
  body !== null && headers.get('content-type')?.startsWith('text/event-stream') === true;

export interface CuttableOptions {
  /** Cuts the answer off. */
  readonly signal?: AbortSignal;
  /** Breaks the connection off. Undefined where the answer is not on its way to a socket: then its body fails. */
  readonly destroy: (() => void) | undefined;
  /** Told when the body failed by itself. */
  readonly onError: (error: unknown) => void;
  readonly onOver?: () => void;
}

/**
 * The answer, whose connection is broken off when the signal is aborted or its body fails. Broken off, not completed:
 * a reader takes what is complete for all that there is, and a lost connection for a reason to ask again.
 */
export function cuttable(response: Response, options: CuttableOptions): Response {
  const { signal, destroy, onError, onOver } = options;
  if (response.body === null) return response;
  const reader = response.body.getReader();
  let isOver = false;
  let cut: () => void = () => undefined;
  const over = (): void => {
    isOver = true;
    signal?.removeEventListener('abort', cut);
    onOver?.();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        cut = () => {
          over();
          // The server writes what a body failed with into it; a connection that is gone takes no more.
          if (destroy === undefined) controller.error(signal?.reason);
          else destroy();
          // What it says of its end is of no interest: nobody reads it any more.
          reader.cancel(signal?.reason).catch(() => undefined);
        };
        if (signal?.aborted === true) cut();
        else signal?.addEventListener('abort', cut, { once: true });
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (isOver) return;
          if (value !== undefined) controller.enqueue(value);
          if (!done) return;
          over();
          controller.close();
        } catch (error) {
          if (isOver) return;
          over();
          onError(error);
          if (destroy === undefined) throw error;
          destroy();
        }
      },
      async cancel(reason) {
        over();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status: response.status, headers: response.headers });
}

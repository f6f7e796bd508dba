import type { Dispatcher } from 'undici';

/** The body of one answer, pulled by its reader; but for the first bytes, what is not pulled stays in the socket. */
export interface ReplyBody {
  /**
   * What has come since the last call, in order; undefined at the end. The chunks are the socket's own memory:
   * copy what is kept. To be called again only when the previous promise is settled.
   *
   * @throws {Error} what the transport failed with, after everything that came before it was read.
   */
  read(): Promise<readonly Buffer[] | undefined>;
  /** Nothing more is wanted. The little that may be left is read away, so that the socket can serve again. */
  release(): void;
  /** Nothing more is wanted, and the socket is closed unless the body has ended. */
  destroy(): void;
}

/** The side of the transport. */
export interface ReplyBodySource extends ReplyBody {
  push(chunk: Buffer): void;
  end(): void;
  /** @param options.atOnce do not let the reader see what is still queued. @default false */
  fail(error: Error, options?: { atOnce?: boolean }): void;
}

/**
 * What is taken without being asked for. It keeps the socket busy while a block is written; and an answer that
 * fits is safe from a peer that resets the connection while its reader waits for a turn (undici drops what lies
 * in a socket that is reset).
 */
const HIGH_WATER_BYTES = 64 * 1024;
/** What a released body may still cost: a chunked body's last bytes, a trailing line break. */
const RELEASE_BYTES = 64 * 1024;
const RELEASE_MS = 1_000;

export interface ReplyBodyOptions {
  /** What the headers say; undefined where they don't. */
  readonly byteSize?: number | undefined;
}

/** Bridges undici's push to a reader's pull, with `pause` and `resume` for back-pressure. */
export const createReplyBody = (
  controller: Pick<Dispatcher.DispatchController, 'pause' | 'resume' | 'abort'>,
  { byteSize }: ReplyBodyOptions = {},
): ReplyBodySource => {
  // One that is known not to fit is left in the socket until its turn: thousands may wait for theirs.
  if (byteSize !== undefined && byteSize > HIGH_WATER_BYTES) controller.pause();
  let queue: Buffer[] = [];
  let queuedBytes = 0;
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  let released = false;
  let releaseTimer: NodeJS.Timeout | undefined;

  const forget = () => {
    queue = [];
    queuedBytes = 0;
  };
  const signalReader = () => {
    wake?.();
    wake = undefined;
  };
  const destroy = () => {
    forget();
    if (!ended && failure === undefined) controller.abort(new Error('The reader left.'));
  };

  return {
    async read() {
      for (;;) {
        if (queue.length > 0) {
          const chunks = queue;
          forget();
          return chunks;
        }
        if (failure !== undefined) throw failure;
        if (ended) return undefined;
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        // May push, end or fail before it returns.
        controller.resume();
        await woken;
      }
    },

    release() {
      forget();
      if (ended || failure !== undefined) return;
      released = true;
      releaseTimer = setTimeout(destroy, RELEASE_MS).unref();
      controller.resume();
    },

    destroy,

    push(chunk) {
      queuedBytes += chunk.length;
      if (released) {
        if (queuedBytes > RELEASE_BYTES) destroy();
        return;
      }
      queue.push(chunk);
      if (queuedBytes >= HIGH_WATER_BYTES) controller.pause();
      signalReader();
    },

    end() {
      ended = true;
      clearTimeout(releaseTimer);
      signalReader();
    },

    fail(error, { atOnce = false } = {}) {
      failure = error;
      if (atOnce) forget();
      clearTimeout(releaseTimer);
      signalReader();
    },
  };
};

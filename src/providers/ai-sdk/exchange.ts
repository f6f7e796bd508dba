/** One HTTP call of a model, as the transport saw it. */
export interface Call {
  /**
   * Whether it carries the signal of its exchange, and so is certainly of that generation, and ends with it. Other calls
   * are put down in every exchange that is open, since whose they are can't be told.
   */
  readonly isOwn: boolean;
  /** Whether a byte of it may have left. */
  sent: boolean;
  /** Of its answer; undefined until one began. */
  status: number | undefined;
  /** `ECONNRESET`, `UND_ERR_SOCKET`, … where the transport failed. */
  code: string | undefined;
  /** What `fetch` rejected with; undefined while it has not. */
  error: unknown;
}

/** One generation, from the model's first call to its last. */
export interface Exchange {
  readonly prompt: string;
  /** All calls that may be its own. */
  readonly calls: Call[];
  /** What was sent already, address and body: none of it is sent again. */
  readonly bodies: Set<string>;
  /** Values of the headers that authorise calls. */
  readonly secrets: Set<string>;
  /** What the model is given. By it, and by nothing else, are the calls known that are its own. */
  readonly signal: AbortSignal;
  /** Rejects with the reason once `signal` is aborted. */
  readonly aborted: Promise<never>;
  /** Ends what is under way; `reason` is one of the classes below. */
  abort(reason: Error): void;
  /** Lets go of the gateway's signal. To be called at the end. */
  release(): void;
}

/** The gateway ended the call, or the provider was closed. `cause` is the gateway's own reason. */
export class AbortedError extends Error {
  override readonly name = 'AbortError';
}

/** A poll said that the vendor's content policy refuses. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** An answer is larger than any that we would hold in memory. */
export class AnswerTooLargeError extends Error {
  override readonly name = 'AnswerTooLargeError';
}

/** The status that this generation's last call was answered with, where one certainly was. */
export const lastStatusOf = ({ calls }: Pick<Exchange, 'calls'>): number | undefined =>
  calls.findLast(({ isOwn, sent }) => isOwn && sent)?.status;

export function openExchange(prompt: string, outer: AbortSignal): Exchange {
  const controller = new AbortController();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  // Where nobody waits any more, there is nobody to tell.
  aborted.catch(() => undefined);
  const abort = (reason: Error) => {
    controller.abort(reason);
    reject(controller.signal.reason);
  };
  const onAbort = () => abort(new AbortedError('The call was aborted.', { cause: outer.reason }));
  outer.addEventListener('abort', onAbort, { once: true });
  return {
    prompt,
    calls: [],
    bodies: new Set(),
    secrets: new Set(),
    signal: controller.signal,
    aborted,
    abort,
    release: () => outer.removeEventListener('abort', onAbort),
  };
}

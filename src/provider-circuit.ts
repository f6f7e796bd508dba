/** Whether a provider is asked: always, not now, or by one generation that tries whether it is well again. */
export type CircuitState = 'CLOSED' | 'OPEN' | 'HALF_OPEN';

/** What lets one generation through; given back in one of three ways, of which the first counts. */
export interface Pass {
  /** The provider answered, whatever it said. */
  answered(): void;
  failed(): void;
  /** It ended in a way that says nothing of the provider. */
  leave(): void;
}

export interface CircuitOptions {
  /** Generations that fail in a row before it opens; 0 for never. */
  readonly failures: number;
  /** How long it is open, in milliseconds. Then one generation after the other may try, until one is answered or fails. */
  readonly openMs: number;
  readonly now: () => Date;
}

interface Span {
  readonly fromMs: number;
  readonly forMs: number;
}

/**
 * What keeps one replica from asking a provider that fails, generation after generation.
 *
 * Cockatiel's policy was read: it tells time by the machine's clock alone, lets whoever comes while one tries wait for it
 * (here that may take minutes, in which the next provider could draw), and closes when the one who tried was canceled.
 */
export function createCircuit({ failures, openMs, now }: CircuitOptions) {
  let failuresInRow = 0;
  let opened: Span | undefined;
  /** For as long as one that tries may take. A provider that hangs, deaf to every abort, would else never be asked again. */
  let trial: Span | undefined;
  /** Counted up as it opens, closes and is tried: a pass of an earlier turn says nothing of now. */
  let turn = 0;

  /** How much of it is left, in milliseconds. A clock that was set back opens the way, rather than bar it for long. */
  function remainingMs(span: Span | undefined): number {
    if (span === undefined) return 0;
    const elapsedMs = now().getTime() - span.fromMs;
    return elapsedMs < 0 ? 0 : Math.max(span.forMs - elapsedMs, 0);
  }

  const isAdmitting = (): boolean => remainingMs(opened) === 0 && remainingMs(trial) === 0;

  function begin(changes: { opened: Span | undefined; trial: Span | undefined }): void {
    ({ opened, trial } = changes);
    turn += 1;
  }
  const open = (): void => begin({ opened: { fromMs: now().getTime(), forMs: openMs }, trial: undefined });
  const close = (): void => begin({ opened: undefined, trial: undefined });

  function passOf({ answered, failed, leave }: Pass): Pass {
    const given = turn;
    let isOut = true;
    const once = (say: () => void) => () => {
      if (isOut && given === turn) say();
      isOut = false;
    };
    return { answered: once(answered), failed: once(failed), leave: once(leave) };
  }

  const ordinary = (): Pass =>
    passOf({
      answered() {
        failuresInRow = 0;
      },
      failed() {
        failuresInRow += 1;
        if (failures > 0 && failuresInRow >= failures) open();
      },
      leave() {},
    });

  function trying(deadlineAt: Date): Pass {
    const fromMs = now().getTime();
    const forMs = Math.max(deadlineAt.getTime() - fromMs, 0) + openMs;
    begin({ opened, trial: { fromMs, forMs } });
    return passOf({
      answered() {
        failuresInRow = 0;
        close();
      },
      failed: open,
      leave() {
        trial = undefined;
      },
    });
  }

  return {
    get state(): CircuitState {
      if (opened === undefined) return 'CLOSED';
      return remainingMs(opened) > 0 ? 'OPEN' : 'HALF_OPEN';
    },

    /** Whether a generation would be let through now. */
    get isAdmitting(): boolean {
      return isAdmitting();
    },

    /** When it is worth asking again, in milliseconds from now. While it is being tried nobody knows. */
    get retryAfterMs(): number {
      return remainingMs(trial) > 0 ? openMs : remainingMs(opened);
    },

    /**
     * Lets a generation through that has time until then; undefined where none is. One that tries, and is not back when as
     * long as the circuit is open has passed since its deadline, is given up: another one may try.
     */
    enter(deadlineAt: Date): Pass | undefined {
      if (!isAdmitting()) return undefined;
      return opened === undefined ? ordinary() : trying(deadlineAt);
    },
  };
}

export type Circuit = ReturnType<typeof createCircuit>;

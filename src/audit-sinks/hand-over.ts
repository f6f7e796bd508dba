import type { Clock } from '../clock.ts';
import type { AuditEvent } from '../ledger/audit.ts';
import type { AuditSink } from './audit-sink.ts';
import { describeFailure } from './failure.ts';

/** The trail as one sink reads it, from the first line that it was not handed. */
export interface AuditTail {
  /** The next lines, 500 at most; the same again until they are confirmed. */
  read(): Promise<readonly AuditEvent[]>;
  /** The lines that were read last are safe. */
  confirm(): Promise<void>;
}

/** Lines that are read at once, at most. */
export const MAX_LINES = 500;
/** What is written without a word to us is found within this time, in milliseconds. */
const POLL_MS = 1_000;
/** After a word, for so long more lines gather, so that each of them costs no commit of its own; in milliseconds. */
const GATHER_MS = 100;
/** What one write may take, in milliseconds. */
const WRITE_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

export interface HandOverOptions {
  readonly sink: AuditSink;
  readonly tail: AuditTail;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: SinkLog;
  /** Aborted when the gateway stops: what is in the trail is handed over once more, and then it is over. */
  readonly stopping: AbortSignal;
  /** Aborted when that took too long, or the trail can't be read any more: it is over at once. */
  readonly cut: AbortSignal;
}

export interface SinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** One sink that is being handed the trail. */
export interface HandOver {
  /** There is something new. */
  wake(): void;
  /** Rejects when the trail can't be read; a sink that fails is tried again for ever. */
  readonly done: Promise<void>;
}

/** Hands the trail to a sink, batch by batch, until it is told to stop. */
export function handOver({ sink, tail, clock, log, stopping, cut }: HandOverOptions): HandOver {
  let woken = Promise.withResolvers<void>();
  let failures = 0;

  /** Resolves at the end of the time, or as soon as one of the signals is aborted. */
  const pause = (delayMs: number, ...signals: AbortSignal[]): Promise<void> =>
    clock.sleep(delayMs, AbortSignal.any(signals)).catch(() => undefined);

  async function untilThereIsMore(): Promise<void> {
    const waiting = new AbortController();
    await Promise.race([pause(POLL_MS, waiting.signal, stopping, cut), woken.promise.then(gather)]);
    waiting.abort();
    woken = Promise.withResolvers();
  }
  const gather = (): Promise<void> => pause(GATHER_MS, stopping, cut);

  /** Resolves when the sink says so, and rejects when it is cut, whether the sink heeds its signal or not. */
  async function write(events: readonly AuditEvent[]): Promise<void> {
    const limit = new AbortController();
    const ended = new AbortController();
    const signal = AbortSignal.any([limit.signal, cut]);
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort);
    clock.sleep(WRITE_MS, ended.signal).then(
      () => limit.abort(new Error(`It took longer than ${WRITE_MS / 1000} s.`)),
      () => undefined,
    );
    try {
      signal.throwIfAborted();
      await Promise.race([sink.write(events, { signal }), aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
      ended.abort();
    }
  }

  async function run(): Promise<void> {
    while (!cut.aborted) {
      const events = await tail.read();
      if (events.length > 0) {
        try {
          await write(events);
        } catch (error) {
          if (cut.aborted) return;
          failures += 1;
          const retryInMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
          const failure = describeFailure(error);
          log.warn({ sink: sink.name, failure, failures, retryInMs }, 'an audit sink failed');
          if (stopping.aborted) return;
          await pause(retryInMs, stopping, cut);
          continue;
        }
        await tail.confirm();
        if (failures > 0) log.info({ sink: sink.name, failures }, 'an audit sink works again');
        failures = 0;
      }
      if (events.length === MAX_LINES) continue;
      if (stopping.aborted && events.length === 0) return;
      if (!stopping.aborted) await untilThereIsMore();
    }
  }
  return { wake: () => woken.resolve(), done: run() };
}

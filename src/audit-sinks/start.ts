import type { Clock } from '../clock.ts';
import { ensureAuditIndex } from '../ledger/audit-index.ts';
import { allowSilence, breakSilence, endWhenSilent, registerAuditSink } from '../ledger/audit-sinks.ts';
import { type HeldAuditTail, takeAuditTail } from '../ledger/audit-tail.ts';
import type { Database } from '../ledger/database.ts';
import { CHANNELS, type Notifications } from '../ledger/notifications.ts';
import type { AuditSink } from './audit-sink.ts';
import { describeFailure } from './failure.ts';
import { type HandOver, handOver, MAX_LINES, type SinkLog } from './hand-over.ts';

export interface AuditSinksOptions {
  readonly db: Database;
  readonly notifications: Pick<Notifications, 'on' | 'onResume'>;
  /** Plug-ins, of which some have sinks. Each sink's name is its own. */
  readonly plugins: readonly { readonly auditSinks?: readonly AuditSink[] }[];
  readonly clock: Clock;
  readonly log: SinkLog;
  /** How long `stop` waits for what is in the trail to be handed over, in milliseconds. @default 5000 */
  readonly flushMs?: number;
  /** Until a replica looks again whether it can take a sink that another one held, in milliseconds. @default 5000 */
  readonly takeOverMs?: number;
  /**
   * After so long without a word a replica loses the sinks that it holds, in milliseconds; it says one every `takeOverMs`.
   * @default 30000
   */
  readonly silentMs?: number;
}

export interface AuditSinks {
  /** Hands over what is in the trail, for a bounded time. What is left waits for the next start, or another replica. */
  stop(): Promise<void>;
}

/**
 * Hands the audit trail to the sinks, each on one replica at a time. Resolves when every sink is on record, and so misses
 * nothing that is written from then on.
 *
 * One connection of the pool is taken for as long as this replica holds a sink: the lock lives and ends with it.
 */
export async function startAuditSinks(options: AuditSinksOptions): Promise<AuditSinks> {
  const { db, notifications, plugins, clock, log } = options;
  const { flushMs = 5_000, takeOverMs = 5_000, silentMs = 30_000 } = options;
  const sinks = plugins.flatMap(({ auditSinks = [] }) => auditSinks);
  if (sinks.length === 0) return { stop: async () => undefined };
  for (const { name, from = 'now' } of sinks) {
    await registerAuditSink(db, { name, from, createdAt: clock.now() });
  }
  const stopping = new AbortController();
  const cutting = new AbortController();
  const handOvers = new Set<HandOver>();
  const wake = (): void => {
    for (const { wake } of handOvers) wake();
  };
  // What is told anyway. Lines that nobody is told of (replays, refusals, keys) are found by looking.
  notifications.on(CHANNELS.changes, wake);
  notifications.on(CHANNELS.generations, wake);
  notifications.onResume(wake);

  const pause = (delayMs: number, signal: AbortSignal): Promise<void> =>
    clock.sleep(delayMs, signal).catch(() => undefined);

  /** Serves every sink that can be taken by this connection, until the gateway stops or the connection is lost. */
  async function serve(connection: Database): Promise<void> {
    if (!(await ensureAuditIndex(db, connection, stopping.signal))) return;
    const held = new Map<AuditSink, { tail: HeldAuditTail; handOver: HandOver }>();
    const lost = new AbortController();
    const cut = AbortSignal.any([cutting.signal, lost.signal]);
    await endWhenSilent(connection, silentMs);
    try {
      while (!stopping.signal.aborted) {
        await breakSilence(connection);
        for (const sink of sinks.filter((sink) => !held.has(sink))) {
          const tail = await takeAuditTail(connection, sink.name, MAX_LINES);
          if (tail === undefined) continue;
          const started = handOver({ sink, tail, clock, log, stopping: stopping.signal, cut });
          handOvers.add(started);
          // Heard below, when every sink was asked for; until then nobody listens.
          started.done.catch(() => undefined);
          held.set(sink, { tail, handOver: started });
        }
        if (held.size === 0) return;
        const running = Promise.all([...held.values()].map(({ handOver }) => handOver.done));
        const waiting = new AbortController();
        await Promise.race([running, pause(takeOverMs, AbortSignal.any([stopping.signal, waiting.signal]))]);
        waiting.abort();
      }
      await Promise.all([...held.values()].map(({ handOver }) => handOver.done));
    } finally {
      lost.abort(new Error('The connection that holds the sink was lost.'));
      await Promise.allSettled([...held.values()].map(({ handOver }) => handOver.done));
      for (const { tail, handOver } of held.values()) {
        handOvers.delete(handOver);
        // A connection that is gone holds nothing any more.
        await tail.letGo().catch(() => undefined);
      }
      await allowSilence(connection).catch(() => undefined);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await db.connection().execute(serve);
      } catch (error) {
        if (stopping.signal.aborted) return;
        const failure = describeFailure(error);
        log.warn({ failure }, 'the audit trail could not be read for its sinks; tried again later');
      }
      await pause(takeOverMs, stopping.signal);
    }
  }
  const running = run();

  return {
    async stop() {
      stopping.abort();
      const over = new AbortController();
      const limit = pause(flushMs, over.signal).then(() => cutting.abort(new Error('The gateway stops.')));
      await Promise.race([running, limit]);
      over.abort();
    },
  };
}

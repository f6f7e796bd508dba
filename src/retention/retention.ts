import type { Clock } from '../clock.ts';
import type { BlobStore } from '../images/blob-store.ts';
import type { Renditions } from '../images/renditions.ts';
import type { Staging } from '../images/staging.ts';
import type { Database } from '../ledger/database.ts';
import { whileAlone } from '../ledger/retention.ts';
import { type KeepMs, removeAged } from './removal.ts';

export interface RetentionOptions {
  readonly db: Database;
  readonly store: Pick<BlobStore, 'delete'>;
  readonly staging: Pick<Staging, 'discard' | 'sweep' | 'sweepRejected'>;
  readonly renditions: Pick<Renditions, 'sweep'>;
  readonly keepMs: KeepMs;
  /** How long what is staged waits for whoever comes back for it, in milliseconds. */
  readonly keepStagedMs: number;
  readonly clock: Clock;
  /** How long one round may take, in milliseconds. @default 300_000 */
  readonly maxMs?: number | undefined;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
}

export interface Retention {
  /** Ends what is under way as soon as its statement has answered; the next start goes on with it. */
  stop(): Promise<void>;
}

const EVERY_MS = 3600 * 1000;
/** Where there was not enough time for all. */
const SOON_MS = 60 * 1000;
/** The renditions of a picture that was removed are served no more; their files follow within this time. */
const KEEP_RENDITIONS_MS = 24 * 3600 * 1000;

/**
 * Removes what is too old, now and then every hour, on one replica at a time; and on each replica what is too old on its
 * own disk. Does nothing where everything is kept for ever.
 *
 * The rhythm is its own, and the lock PostgreSQL's: a schedule of pg-boss asks the database some ten times a minute
 * whether the hour has come, and leaves the hour out for which nobody was up.
 */
export function startRetention(options: RetentionOptions): Retention {
  const { db, store, staging, renditions, keepMs, keepStagedMs, clock, maxMs, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  /** Does its part, unless the gateway stops. What fails is tried again with the next round, and stops no other part. */
  async function attempt<Result>(what: string, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, `${what} failed; tried again later`);
      return undefined;
    }
  }

  async function sweepOwnDisk(): Promise<void> {
    const nowMs = clock.now().getTime();
    const { records } = keepMs;
    await attempt('sweeping renditions', () => renditions.sweep(nowMs - KEEP_RENDITIONS_MS));
    await attempt('sweeping staged pictures', () => staging.sweep({ olderThanMs: keepStagedMs }));
    if (records === undefined) return;
    await attempt('sweeping rejected pictures', () => staging.sweepRejected(nowMs - records));
  }

  /** Whether all was looked at, here or on the replica that is at it. */
  async function removeAll(): Promise<boolean> {
    const onRefused = (error: unknown, records: number): void =>
      log.warn({ err: error, records }, 'pictures could not be removed; their records stay until they are');
    const removed = await attempt('removing what is too old', () =>
      whileAlone(db, (connection) =>
        removeAged(connection, { store, staging, keepMs, clock, signal, maxMs, onRefused }),
      ),
    );
    if (removed === undefined) return true;
    const { generations, images, complete } = removed;
    if (generations + images > 0) log.info({ generations, images }, 'removed what was too old');
    return complete;
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await sweepOwnDisk();
      const complete = await removeAll();
      await clock.sleep(complete ? EVERY_MS : SOON_MS, signal).catch(() => undefined);
    }
  }
  const running = keepMs.images === undefined && keepMs.records === undefined ? Promise.resolve() : run();

  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

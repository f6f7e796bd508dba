import type { Clock } from '../clock.ts';
import { blobKeyOf } from '../images/blob-key.ts';
import type { Database } from '../ledger/database.ts';
import { utcDay } from '../ledger/quota.ts';
import {
  type AgedGeneration,
  type AgedImage,
  type AgedSlice,
  agedGenerations,
  agedImages,
  noteImagesRemoved,
  removeGenerations,
  removeQuotaUsage,
} from '../ledger/retention.ts';
import { type Places, type RemoveBytesOptions, removeBytes } from './bytes.ts';

/** How long things are kept, in milliseconds; undefined for ever. */
export interface KeepMs {
  /** The bytes of an image, from when it was made. */
  readonly images: number | undefined;
  /** A generation with all that belongs to it, from its end. */
  readonly records: number | undefined;
}

const DAY_MS = 24 * 3600 * 1000;
const inMs = (days: number | undefined): number | undefined =>
  days === undefined ? undefined : days * DAY_MS;

/** What the settings say. */
export const keepMsOf = ({
  keepImagesDays,
  keepRecordsDays,
}: {
  readonly keepImagesDays: number | undefined;
  readonly keepRecordsDays: number | undefined;
}): KeepMs => ({ images: inMs(keepImagesDays), records: inMs(keepRecordsDays) });

export interface RemovalOptions extends Omit<RemoveBytesOptions, 'isOver'> {
  readonly keepMs: KeepMs;
  readonly clock: Clock;
  /** Records whose rows go in one transaction. @default 200 */
  readonly batchSize?: number | undefined;
  /** After so many milliseconds it stops, and says that there is more. @default 300_000 */
  readonly maxMs?: number | undefined;
}

export interface Removed {
  readonly generations: number;
  /** Those whose records stay. */
  readonly images: number;
  /** Whether there was time to look at all that is too old. */
  readonly complete: boolean;
}

/** A generation gives its place in the quota back to the day of its claim, which is never as old as this. */
const KEEP_QUOTA_MS = 40 * DAY_MS;

/** One kind of thing that gets too old. */
interface Kind<Aged> {
  readonly find: (db: Database, slice: AgedSlice) => Promise<Aged[]>;
  readonly placesOf: (aged: Aged) => Places;
  /** Returns how many rows there still were to remove. */
  readonly removeRows: (db: Database, batch: readonly Aged[], removedAt: Date) => Promise<number>;
}

const GENERATIONS: Kind<AgedGeneration> = {
  find: agedGenerations,
  // Of every attempt: a replica that had lost its job may have stored a picture that no row knows of.
  placesOf: ({ blobKey, attemptIds }) => ({
    blobKeys: [...(blobKey === null ? [] : [blobKey]), ...attemptIds.map(blobKeyOf)],
    attemptIds,
  }),
  removeRows: removeGenerations,
};

const IMAGES: Kind<AgedImage> = {
  find: agedImages,
  placesOf: ({ blobKey, attemptId }) => ({ blobKeys: [blobKey], attemptIds: [attemptId] }),
  removeRows: noteImagesRemoved,
};

/**
 * Removes what is too old, once. The bytes go first, and then the rows that know of them: a crash in between leaves
 * rows for the next time, while the other order would leave bytes that nobody knows of. What the store does not
 * remove keeps its row until it does.
 *
 * @throws what the database throws; every batch that was removed until then stays so.
 */
export async function removeAged(db: Database, options: RemovalOptions): Promise<Removed> {
  const { keepMs, clock, signal, batchSize = 200, maxMs = 300_000 } = options;
  const endsAtMs = performance.now() + maxMs;
  const isOver = (): boolean => signal.aborted || performance.now() >= endsAtMs;
  const startedAtMs = clock.now().getTime();

  async function remove<Aged extends NonNullable<AgedSlice['after']>>(
    { find, placesOf, removeRows }: Kind<Aged>,
    ageMs: number | undefined,
  ): Promise<{ count: number; complete: boolean }> {
    if (ageMs === undefined) return { count: 0, complete: true };
    const before = new Date(startedAtMs - ageMs);
    let count = 0;
    for (let after: Aged | undefined; !isOver(); ) {
      const batchStartedAt = performance.now();
      const batch = await find(db, { before, after, limit: batchSize });
      const bare = await removeBytes(batch, placesOf, { ...options, isOver });
      if (bare.length > 0) count += await removeRows(db, bare, clock.now());
      if (batch.length < batchSize) return { count, complete: !isOver() };
      // What was refused is not met again in this run.
      after = batch.at(-1);
      // Half of the time is for those who generate.
      await clock.sleep(performance.now() - batchStartedAt, signal).catch(() => undefined);
    }
    return { count, complete: false };
  }

  const generations = await remove(GENERATIONS, keepMs.records);
  const images = await remove(IMAGES, keepMs.images);
  await removeQuotaUsage(db, utcDay(new Date(startedAtMs - KEEP_QUOTA_MS)));
  return {
    generations: generations.count,
    images: images.count,
    complete: generations.complete && images.complete,
  };
}

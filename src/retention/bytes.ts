import type { BlobStore } from '../images/blob-store.ts';
import type { Staging } from '../images/staging.ts';

export interface RemoveBytesOptions {
  readonly store: Pick<BlobStore, 'delete'>;
  readonly staging: Pick<Staging, 'discard'>;
  /** Ends the work, also while the store keeps it waiting. */
  readonly signal: AbortSignal;
  /** Told of records that stay because their bytes could not be removed. */
  readonly onRefused: (error: unknown, records: number) => void;
  /** Whether time is up: what was not begun by then is left for the next time. */
  readonly isOver: () => boolean;
}

/** Where the bytes of a record may be. */
export interface Places {
  readonly blobKeys: readonly string[];
  /** Whose pictures may lie in staging. */
  readonly attemptIds: readonly string[];
}

/** Pictures that are removed from the store at the same time. */
const DELETES_AT_ONCE = 8;

/** Removes the bytes of these records, and returns the records that have none any more. */
export async function removeBytes<Aged>(
  batch: readonly Aged[],
  placesOf: (aged: Aged) => Places,
  { store, staging, signal, onRefused, isOver }: RemoveBytesOptions,
): Promise<Aged[]> {
  const bare: Aged[] = [];
  const refusals: unknown[] = [];
  const left = batch.values();

  async function work(): Promise<void> {
    for (const aged of left) {
      if (isOver()) return;
      try {
        const { blobKeys, attemptIds } = placesOf(aged);
        for (const blobKey of new Set(blobKeys)) await unlessAborted(store.delete(blobKey), signal);
        for (const attemptId of attemptIds) await staging.discard(attemptId);
        bare.push(aged);
      } catch (error) {
        if (signal.aborted) return;
        refusals.push(error);
      }
    }
  }

  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, work));
  if (refusals.length > 0) onRefused(refusals[0], refusals.length);
  return bare;
}

/** What the work comes to; rejects as soon as the signal is aborted, whatever the work does. */
function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

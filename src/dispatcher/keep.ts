import type { Clock } from '../clock.ts';
import { HandoverError, InvalidPictureError, StorageError } from '../errors.ts';
import type { StagedPicture } from '../generation.ts';
import { blobKeyOf } from '../images/blob-key.ts';
import type { BlobStore } from '../images/blob-store.ts';
import type { SucceededEnding } from '../ledger/runs.ts';

export interface KeepOptions {
  /** Decodes the whole picture. @throws {InvalidPictureError} */
  readonly measure: (path: string) => Promise<{ width: number; height: number; thumbhash: string }>;
  /** Moves the bytes to where the operator finds them, and returns the path. */
  readonly keepAside: (attemptId: string) => Promise<string>;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly onRetry: (error: unknown) => void;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

/**
 * Proves the picture by decoding it, and stores it. Outside the retry ring: a full disk never buys again, it is
 * tried again until the deadline, and then the bytes are kept aside.
 */
export async function keep(
  staged: StagedPicture,
  deadlineAt: Date,
  signal: AbortSignal,
  { measure, keepAside, store, clock, onRetry }: KeepOptions,
): Promise<SucceededEnding['image']> {
  const { byteSize, sha256, revisedPrompt } = staged;
  const blobKey = blobKeyOf(staged.attemptId);
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      const { width, height, thumbhash } = await measure(staged.path);
      await store.putFile(blobKey, staged.path, { contentType: 'image/png', sha256 });
      return { blobKey, width, height, thumbhash, byteSize, sha256, revisedPrompt };
    } catch (error) {
      if (error instanceof InvalidPictureError) {
        throw new InvalidPictureError(error.message, { keptAt: await keepAside(staged.attemptId) });
      }
      if (!(error instanceof StorageError)) throw error;
      onRetry(error);
      // The picture stays staged: the next start on this disk stores it, and buys nothing again.
      if (signal.aborted) throw new HandoverError('The replica is shutting down.', { cause: error });
      if (clock.now().getTime() + delayMs >= deadlineAt.getTime()) {
        await keepAside(staged.attemptId);
        throw error;
      }
      await clock.sleep(delayMs, signal).catch(() => undefined);
    }
  }
}

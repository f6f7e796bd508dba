import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { StorageError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';

/** Bytes of an image, ready to be sent, with what HTTP wants to know of them. */
export interface ServedImage {
  readonly byteSize: number;
  readonly contentType: string;
  /** A strong entity tag with its quotes: equal only where every byte is. */
  readonly etag: string;
  /**
   * The bytes, or those from `start` to `end`, both included, which must lie within. To be called once at most; the
   * stream must be read or destroyed.
   */
  stream(range?: { start: number; end: number }): Promise<Readable>;
  /** Lets go of the image when no stream was asked for. */
  close(): Promise<void>;
}

/**
 * Opens the stored picture itself; undefined where there is none. Whoever will want all its bytes says so, and the
 * store, which may be far away, is asked once and not twice.
 *
 * @throws {StorageError}
 */
export const openOriginal = async (
  store: BlobStore,
  blobKey: string,
  { whole = false }: { whole?: boolean } = {},
): Promise<ServedImage | undefined> => {
  const blob: { byteSize: number; stream?: Readable } | undefined = whole
    ? await store.open(blobKey)
    : await store.stat(blobKey);
  if (blob === undefined) return undefined;
  const { byteSize, stream: opened } = blob;
  return {
    byteSize,
    contentType: 'image/png',
    // A key belongs to one attempt and its bytes never change, so it needs no hash of them.
    etag: `"${createHash('sha256').update(blobKey).digest('hex').slice(0, 32)}"`,
    async stream(range) {
      if (opened !== undefined && range === undefined) return opened;
      opened?.destroy();
      const part = await store.open(blobKey, range);
      if (part === undefined) throw new StorageError('The image was removed while it was being opened.');
      return part.stream;
    },
    async close() {
      opened?.destroy();
    },
  };
};

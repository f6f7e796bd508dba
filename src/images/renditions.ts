import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { StorageError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';
import { onDisk } from './local-disk.ts';
import { createPlaces } from './places.ts';
import { render } from './render.ts';
import { createRenditionCache } from './rendition-cache.ts';
import { openOriginal, type ServedImage } from './served-image.ts';
import { FORMATS, type ImageTransform, isIdentity } from './transform.ts';
import { transformToText } from './transform-text.ts';

export interface Renditions {
  /**
   * Opens a rendition, made now if it is not at hand; undefined where the store has no such picture (any more). A
   * transform that changes nothing opens the stored picture itself.
   *
   * @throws {StorageError} when the store or the local disk fails, or the stored picture no longer decodes.
   */
  open(blobKey: string, transform: ImageTransform): Promise<ServedImage | undefined>;
  /** Removes what was made before this time, in milliseconds since 1970; it is made again when it is asked for. */
  sweep(madeBeforeMs: number): Promise<{ removed: number }>;
}

export interface RenditionsOptions {
  readonly store: BlobStore;
  /** Holds the renditions; made if missing; belongs to one process at a time. */
  readonly folder: string;
  /** What all renditions together may take on the disk. @default 536_870_912 (512 MiB) */
  readonly maxBytes?: number | undefined;
  /** @default 10_000 */
  readonly maxEntries?: number | undefined;
  /** Each holds a whole picture in memory and a thread while it works. @default 2 */
  readonly rendersAtOnce?: number | undefined;
  /** @default 100_000_000 */
  readonly maxPixels?: number | undefined;
}

/** Between making a rendition and opening it, it can be evicted again; more than this often is no accident. */
const MAX_TRIES = 3;

/** Makes resized and converted pictures on request, each one once, and keeps them in a bounded cache on the disk. */
export const createRenditions = async ({
  store,
  folder,
  maxBytes = 512 * 1024 * 1024,
  maxEntries = 10_000,
  rendersAtOnce = 2,
  maxPixels = 100_000_000,
}: RenditionsOptions): Promise<Renditions> => {
  const cache = await createRenditionCache({ folder, maxBytes, maxEntries });
  const places = createPlaces(rendersAtOnce);
  const inFlight = new Map<string, Promise<void>>();

  const make = async (name: string, blobKey: string, transform: ImageTransform): Promise<void> => {
    const original = await store.open(blobKey);
    if (original === undefined) return;
    const png = await onDisk('read the stored image', () => buffer(original.stream));
    let bytes: Buffer;
    try {
      bytes = await render(png, transform, { maxPixels });
    } catch (error) {
      throw new StorageError('The stored picture could not be rendered.', { cause: error });
    }
    await cache.put(name, bytes);
  };

  /** Whoever asks for what is being made waits for it, instead of making it again. */
  const makeOnce = (name: string, blobKey: string, transform: ImageTransform): Promise<void> => {
    const existing = inFlight.get(name);
    if (existing !== undefined) return existing;
    const making = places.run(() => make(name, blobKey, transform)).finally(() => inFlight.delete(name));
    inFlight.set(name, making);
    return making;
  };

  return {
    async open(blobKey, transform) {
      if (isIdentity(transform)) return await openOriginal(store, blobKey);
      const name = nameOf(blobKey, transform);
      for (let tries = 0; tries <= MAX_TRIES; tries += 1) {
        // Asked each time: a picture that was removed must not live on in its renditions.
        if ((await store.stat(blobKey)) === undefined) return undefined;
        const rendition = await cache.open(name, FORMATS[transform.format].contentType);
        if (rendition !== undefined) return rendition;
        if (tries < MAX_TRIES) await makeOnce(name, blobKey, transform);
      }
      throw new StorageError('The rendition was removed each time it was made.');
    },
    sweep: cache.sweep,
  };
};

/** One name for all equal requests, whatever the key and however the transform was written. */
const nameOf = (blobKey: string, transform: ImageTransform): string => {
  const hash = createHash('sha256').update(`${blobKey}\n${transformToText(transform)}`);
  return `${hash.digest('hex').slice(0, 32)}.${FORMATS[transform.format].extension}`;
};

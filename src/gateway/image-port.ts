import { addAbortSignal } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { GatewayUnavailableError, InvalidInputError, NotFoundError, StorageError } from '../errors.ts';
import type { BlobStore } from '../images/blob-store.ts';
import { createPlaces } from '../images/places.ts';
import type { UrlSigner } from '../images/signed-urls.ts';
import { checkTransform, FORMATS, renditionSize } from '../images/transform.ts';
import type { ImagePort } from '../schema/context.ts';

export interface ImagePortOptions {
  readonly signer: UrlSigner;
  readonly store: BlobStore;
  /** How long a URL is good for at least, where the client doesn't say, in seconds. */
  readonly urlLifetimeSeconds: number;
  readonly now: () => Date;
}

/**
 * Default expiries are rounded up to this, so that URLs asked for within the same minutes are equal, and browsers
 * and CDNs can keep what they got; in milliseconds.
 */
const ROUND_UP_MS = 5 * 60 * 1000;

/** Of all requests together: each holds some three times its file in memory. */
const READS_AT_ONCE = 4;

/** Where the schema sends clients to look at images. */
export function createImagePort({ signer, store, urlLifetimeSeconds, now }: ImagePortOptions): ImagePort {
  const reading = createPlaces(READS_AT_ONCE);

  function expiry(expiresInSeconds: number | undefined): Date {
    if (expiresInSeconds !== undefined) return new Date(now().getTime() + expiresInSeconds * 1000);
    const least = now().getTime() + urlLifetimeSeconds * 1000;
    return new Date(Math.ceil(least / ROUND_UP_MS) * ROUND_UP_MS);
  }
  return {
    url: ({ blobKey }, expiresInSeconds) => signer.sign({ blobKey, expiresAt: expiry(expiresInSeconds) }),
    rendition(image, transform) {
      const issues = checkTransform(transform);
      if (issues.length > 0) throw new InvalidInputError(issues);
      const url = signer.sign({ blobKey: image.blobKey, expiresAt: expiry(undefined), transform });
      const { contentType } = FORMATS[transform.format];
      return { url, ...renditionSize(image, transform), contentType };
    },
    async base64({ blobKey, removedAt }, signal) {
      if (removedAt !== undefined) {
        throw new NotFoundError(`The bytes of this image were removed by age, ${removedAt.toISOString()}.`);
      }
      return reading.run(async () => {
        if (signal.aborted) throw new GatewayUnavailableError('The caller has gone.');
        const blob = await store.open(blobKey);
        if (blob === undefined) throw new StorageError(`The stored image ${blobKey} is gone.`);
        try {
          return (await buffer(addAbortSignal(signal, blob.stream))).toString('base64');
        } catch (error) {
          if (signal.aborted) throw new GatewayUnavailableError('The caller has gone.', { cause: error });
          throw error instanceof StorageError
            ? error
            : new StorageError('The stored image could not be read.', { cause: error });
        }
      });
    },
  };
}

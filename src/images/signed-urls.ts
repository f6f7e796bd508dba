import { createHmac, timingSafeEqual } from 'node:crypto';
import { ConfigError, InvalidInputError } from '../errors.ts';
import { assertBlobKey } from './blob-key.ts';
import { checkTransform, type ImageTransform } from './transform.ts';
import { parseRenditionPath, renditionPath } from './transform-text.ts';

/** What a signed URL stands for. */
export interface SignedImage {
  readonly blobKey: string;
  /** Undefined for the stored picture, byte for byte. */
  readonly transform: ImageTransform | undefined;
  readonly expiresAt: Date;
}

export interface UrlSigner {
  /**
   * An absolute URL that opens the image to whoever has it, until `expiresAt` rounded up to the next full five
   * minutes: so that URLs asked for within the same minutes are equal, and browsers and CDNs can keep what they got.
   *
   * @throws {TypeError} for a key that is no image's; {InvalidInputError} for a transform that `checkTransform` refuses.
   */
  sign(image: {
    readonly blobKey: string;
    readonly expiresAt: Date;
    readonly transform?: ImageTransform | undefined;
  }): string;
  /** What the URL stands for; `tampered` unless every character of it is as signed, even when it is expired too. */
  verify(url: URL): SignedImage | 'tampered' | 'expired';
}

/** 132 of the HMAC's 256 bits, as 22 characters. */
const SIGNATURE_LENGTH = 22;
const MIN_SECRET_LENGTH = 8;
const PREFIX = '/images/';
const PATH = /^([0-9a-z]{1,11})\.([0-9A-Za-z_-]{22})\/(.+)$/;

/**
 * Signs and verifies image URLs: `/images/<expiry>.<signature>/<settings>/<key>.<extension>`.
 *
 * All that an image is asked by is in the path, in the one form in which we write it, and the signature is over that
 * text: there is nothing that could be added, doubled or put in another order. The host is left out of it, so that
 * the gateway may move or stand behind a CDN.
 */
export const createUrlSigner = ({
  secret,
  publicUrl,
  now = Date.now,
  roundUpToMs = 5 * 60 * 1000,
}: {
  /** 8 characters or more. */
  secret: string;
  /** Where clients reach the gateway; may have a path. Asked for every URL. */
  publicUrl: () => string;
  /** @default Date.now */
  now?: (() => number) | undefined;
  /** Expiries are rounded up to a multiple of this. @default 300_000 (5 minutes) */
  roundUpToMs?: number | undefined;
}): UrlSigner => {
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new ConfigError(`The signing secret needs ${MIN_SECRET_LENGTH} characters or more.`);
  }

  const signatureOf = (expiry: string, path: string): string =>
    createHmac('sha256', secret)
      // Names the purpose, so that the secret may serve another one too.
      .update(`gesso image url 1\n${expiry}\n${path}`)
      .digest('base64url')
      .slice(0, SIGNATURE_LENGTH);

  return {
    sign({ blobKey, expiresAt, transform }) {
      assertBlobKey(blobKey);
      const issues = transform === undefined ? [] : checkTransform(transform);
      if (issues.length > 0) throw new InvalidInputError(issues);
      const expirySeconds = Math.ceil((Math.ceil(expiresAt.getTime() / roundUpToMs) * roundUpToMs) / 1000);
      if (!Number.isSafeInteger(expirySeconds) || expirySeconds < 0) throw new TypeError('No such expiry.');
      const expiry = expirySeconds.toString(36);
      const path = renditionPath(blobKey, transform);
      return `${withoutSlash(publicUrl())}${PREFIX}${expiry}.${signatureOf(expiry, path)}/${path}`;
    },

    verify(url) {
      const base = withoutSlash(new URL(publicUrl()).pathname);
      // A proxy in front may have taken the base path off, or left it on.
      const pathname = url.pathname.startsWith(base + PREFIX)
        ? url.pathname.slice(base.length)
        : url.pathname;
      if (!pathname.startsWith(PREFIX) || url.search !== '' || url.hash !== '') return 'tampered';
      const [, expiry, signature, path] = PATH.exec(pathname.slice(PREFIX.length)) ?? [];
      if (expiry === undefined || signature === undefined || path === undefined) return 'tampered';
      // Compared as text: decoded, several texts would be the same bytes.
      if (!timingSafeEqual(Buffer.from(signature), Buffer.from(signatureOf(expiry, path)))) return 'tampered';

      const parsed = parseRenditionPath(path);
      if (parsed === undefined) return 'tampered';
      const expiresAt = new Date(Number.parseInt(expiry, 36) * 1000);
      return expiresAt.getTime() <= now() ? 'expired' : { ...parsed, expiresAt };
    },
  };
};

const withoutSlash = (text: string): string => text.replace(/\/+$/, '');

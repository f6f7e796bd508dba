import type { Readable } from 'node:stream';
import { StorageError } from '../errors.ts';
import type { BlobStore } from '../images/blob-store.ts';
import type { Renditions } from '../images/renditions.ts';
import { openOriginal, type ServedImage } from '../images/served-image.ts';
import type { SignedImage, UrlSigner } from '../images/signed-urls.ts';
import { parseByteRange } from './byte-range.ts';

export interface ImageRoutesOptions {
  readonly signer: UrlSigner;
  readonly store: BlobStore;
  readonly renditions: Renditions;
  /** @default Date.now */
  readonly now?: (() => number) | undefined;
  /** Told of the failures that are answered with 503. */
  readonly log?: { error(fields: { err: unknown }, message: string): void } | undefined;
}

/** On every answer, errors too: the bytes are only ever a picture, for whoever has the URL, from any page. */
const COMMON_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Accept-Ranges, Content-Range, ETag',
};

/**
 * Serves `GET` and `HEAD` of signed image URLs: 403 when tampered with, 410 when expired, 404 when the picture is
 * gone, 503 when the store fails. Understands `If-None-Match`, `Range` of one range, and `If-Range`.
 */
export const createImageRoutes = ({ signer, store, renditions, now = Date.now, log }: ImageRoutesOptions) => {
  const openImage = ({ blobKey, transform }: SignedImage): Promise<ServedImage | undefined> =>
    transform === undefined ? openOriginal(store, blobKey) : renditions.open(blobKey, transform);

  const serve = async (request: Request): Promise<Response> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(request, 405, 'METHOD_NOT_ALLOWED', 'Images are read with GET or HEAD.', {
        Allow: 'GET, HEAD',
      });
    }
    const url = new URL(request.url);
    const signed = signer.verify(url);
    if (signed === 'tampered') {
      return refuse(request, 403, 'URL_TAMPERED', 'This URL is not one that was signed here.');
    }
    if (signed === 'expired') {
      return refuse(request, 410, 'URL_EXPIRED', 'This URL has expired: ask for the image again.');
    }
    const image = await openImage(signed);
    if (image === undefined) return refuse(request, 404, 'IMAGE_NOT_FOUND', 'This image was removed.');
    return await answer(request, image, {
      'Cache-Control': cacheControl(signed.expiresAt.getTime() - now()),
      'Content-Disposition': `inline; filename="${url.pathname.slice(url.pathname.lastIndexOf('/') + 1)}"`,
    });
  };

  return async function imageRoutes(request: Request): Promise<Response> {
    try {
      return await serve(request);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      log?.error({ err: error }, 'an image could not be served');
      return refuse(request, 503, error.code, 'The image could not be read. Try again.', {
        'Retry-After': '5',
      });
    }
  };
};

/**
 * The URL itself is the permission, whoever asks gets the same bytes for as long as it is valid, and it is valid no
 * longer than this: so any cache may keep the answer, a CDN's too, and need never ask again.
 */
const cacheControl = (remainingMs: number): string =>
  `public, max-age=${Math.max(0, Math.floor(remainingMs / 1000))}, immutable`;

const answer = async (
  request: Request,
  image: ServedImage,
  urlHeaders: Record<string, string>,
): Promise<Response> => {
  const { byteSize, contentType, etag } = image;
  const headers = { ...COMMON_HEADERS, ...urlHeaders, ETag: etag, 'Accept-Ranges': 'bytes' };
  if (hasTag(request.headers.get('If-None-Match'), etag)) {
    await image.close();
    return new Response(null, { status: 304, headers });
  }

  const whole = { ...headers, 'Content-Type': contentType, 'Content-Length': String(byteSize) };
  if (request.method === 'HEAD') {
    await image.close();
    return new Response(null, { status: 200, headers: whole });
  }

  // A range of another version is of no use to the client: it gets the whole of this one.
  const ifRange = request.headers.get('If-Range');
  const range =
    ifRange === null || ifRange === etag ? parseByteRange(request.headers.get('Range'), byteSize) : undefined;
  if (range === 'unsatisfiable') {
    await image.close();
    return refuse(request, 416, 'RANGE_NOT_SATISFIABLE', 'The image ends before this range begins.', {
      'Content-Range': `bytes */${byteSize}`,
    });
  }
  if (range === undefined) return new Response(toBody(await image.stream()), { status: 200, headers: whole });
  return new Response(toBody(await image.stream(range)), {
    status: 206,
    headers: {
      ...whole,
      'Content-Length': String(range.end - range.start + 1),
      'Content-Range': `bytes ${range.start}-${range.end}/${byteSize}`,
    },
  });
};

/**
 * The stream as a web body, a block at a time. When the client leaves, it is destroyed, which closes its file;
 * `ReadableStream.from` would not do that for a body of which nothing was read yet.
 */
const toBody = (stream: Readable): ReadableStream<Uint8Array> => {
  const blocks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await blocks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        stream.destroy();
      },
    },
    { highWaterMark: 0 },
  );
};

/** Whether an `If-None-Match` header names the tag, weakly or strongly, or says `*`. */
const hasTag = (header: string | null, etag: string): boolean =>
  header !== null &&
  (header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));

/** A small JSON body that says what is wrong, never HTML, never cached. */
const refuse = (
  request: Request,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response =>
  new Response(request.method === 'HEAD' ? null : JSON.stringify({ error: { code, message } }), {
    status,
    headers: {
      ...COMMON_HEADERS,
      ...headers,
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
    },
  });

import type { Readable } from 'node:stream';
import { ConfigError, StorageError } from '../errors.ts';
import type { BlobStore } from '../images/blob-store.ts';
import type { Renditions } from '../images/renditions.ts';
import { openOriginal, type ServedImage } from '../images/served-image.ts';
import type { SignedImage, UrlSigner } from '../images/signed-urls.ts';
import { parseByteRange } from './byte-range.ts';

export interface ImageRoutesOptions {
  readonly signer: UrlSigner;
  readonly store: BlobStore;
  readonly renditions: Renditions;
  /**
   * Who sends the bytes of originals: the gateway, or the store, by a redirect. Renditions come from the gateway.
   * @default 'gateway'
   */
  readonly delivery?: 'gateway' | 'redirect' | undefined;
  /** @default Date.now */
  readonly now?: (() => number) | undefined;
  /** Told of the failures that are answered with 503, and of answers that were cut. */
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

/** A redirect is forgotten so long before it leads nowhere, in milliseconds: following it takes time, too. */
const REDIRECT_MARGIN_MS = 60_000;

/**
 * Serves `GET` and `HEAD` of signed image URLs: 403 when tampered with, 410 when expired, 404 when the picture is
 * gone, 503 when the store fails. Understands `If-None-Match`, `Range` of one range, and `If-Range`.
 *
 * @throws {ConfigError} when it is to redirect to a store that clients can't reach.
 */
export const createImageRoutes = ({
  signer,
  store,
  renditions,
  delivery = 'gateway',
  now = Date.now,
  log,
}: ImageRoutesOptions) => {
  const signUrl = delivery === 'redirect' ? store.signUrl : undefined;
  if (delivery === 'redirect' && signUrl === undefined) {
    throw new ConfigError(
      `GESSO_IMAGE_DELIVERY=redirect needs an object store (GESSO_STORAGE_URL=s3://…): clients can't read ${store.name}.`,
    );
  }

  const openImage = (
    request: Request,
    { blobKey, transform }: SignedImage,
  ): Promise<ServedImage | undefined> => {
    if (transform !== undefined) return renditions.open(blobKey, transform);
    const { method, headers } = request;
    const whole = method === 'GET' && !headers.has('Range') && !headers.has('If-None-Match');
    return openOriginal(store, blobKey, { whole });
  };

  /**
   * Sends the client to the store, with its `Range` and `If-None-Match`: 302, which every client follows with the
   * method that it had, as only POST may change there.
   *
   * The store's answer lacks our `nosniff` and our policy, and a browser can still make nothing but a picture of it:
   * only what was decoded as a PNG was ever stored, the URL's signature fixes the media type and the disposition,
   * and the store is another origin than the gateway.
   */
  const redirect = async (
    request: Request,
    { blobKey, expiresAt }: SignedImage,
    sign: NonNullable<BlobStore['signUrl']>,
    fileName: string,
  ): Promise<Response> => {
    if ((await store.stat(blobKey)) === undefined) return notFound(request);
    const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
    const signed = await sign(blobKey, { method, expiresAt, contentType: 'image/png', fileName });
    const keptMs = signed.expiresAt.getTime() - now() - REDIRECT_MARGIN_MS;
    return new Response(null, {
      status: 302,
      headers: {
        ...COMMON_HEADERS,
        Location: signed.url,
        'Cache-Control': keptMs < 1000 ? 'no-store' : `public, max-age=${Math.floor(keptMs / 1000)}`,
      },
    });
  };

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
    const fileName = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
    if (signUrl !== undefined && signed.transform === undefined) {
      return await redirect(request, signed, signUrl, fileName);
    }
    const image = await openImage(request, signed);
    if (image === undefined) return notFound(request);
    const headers = {
      'Cache-Control': cacheControl(signed.expiresAt.getTime() - now()),
      'Content-Disposition': `inline; filename="${fileName}"`,
    };
    const onCut = (error: unknown) => log?.error({ err: error }, 'an image was cut while it was sent');
    return await answer(request, image, headers, onCut);
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
  onCut: (error: unknown) => void,
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
  if (range === undefined)
    return new Response(toBody(await image.stream(), onCut), { status: 200, headers: whole });
  return new Response(toBody(await image.stream(range), onCut), {
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
const toBody = (stream: Readable, onCut: (error: unknown) => void): ReadableStream<Uint8Array> => {
  stream.once('error', onCut);
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

const notFound = (request: Request): Response =>
  refuse(request, 404, 'IMAGE_NOT_FOUND', 'This image was removed.');

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

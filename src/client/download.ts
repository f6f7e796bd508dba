import type { Connection } from './connection.ts';
import { DownloadError, GatewayUnavailableError, NetworkError } from './errors.ts';
import { retryAfterSecondsOf } from './failure.ts';
import { type Limit, limited } from './limited.ts';
import type { CallOptions } from './options.ts';

/** A picture that pauses for longer is lost on the way, in milliseconds. */
const STALL_MS = 60_000;

/** What is fetched, and how to know it. */
export interface Download {
  readonly url: string;
  /** Asks for a URL that is good again. */
  readonly freshUrl: (options: CallOptions) => Promise<string>;
  /** What the bytes must be; undefined where nobody has said. */
  readonly promised: { readonly byteSize: number; readonly sha256: string } | undefined;
}

/**
 * The bytes of a picture, tried again where they were cut on the way, and from a fresh URL where the one at hand has
 * expired.
 * @throws {DownloadError}
 */
export async function download(
  connection: Connection,
  { url, freshUrl, promised }: Download,
  options: CallOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  let current = url;
  let isFresh = false;
  return connection.retrying(async () => {
    let answer = await fetchOnce(connection, current, options);
    // Expired, or signed with a secret that is no longer used.
    if ((answer.status === 410 || answer.status === 403) && !isFresh) {
      current = await freshUrl(options);
      isFresh = true;
      answer = await fetchOnce(connection, current, options);
    }
    const { status, bytes } = answer;
    if (status !== 200) throw new DownloadError(reasonOf(status), { httpStatus: status });
    if (promised !== undefined) await check(bytes, promised);
    return bytes;
  }, options);
}

async function fetchOnce(
  { fetch, clock }: Connection,
  url: string,
  { signal }: CallOptions,
): Promise<{ status: number; bytes: Uint8Array<ArrayBuffer> }> {
  return limited(signal, STALL_MS, async (limit) => {
    try {
      const response = await fetch(url, { signal: limit.signal });
      const { status, headers } = response;
      const bytes = await readAll(response, limit);
      if (status === 408 || status === 429 || status >= 500) {
        const retryAfterSeconds = retryAfterSecondsOf(headers, clock.now());
        throw new GatewayUnavailableError(reasonOf(status), { httpStatus: status, retryAfterSeconds });
      }
      return { status, bytes };
    } catch (error) {
      if (error instanceof GatewayUnavailableError) throw error;
      throw new NetworkError('The picture could not be fetched.', { cause: error });
    }
  });
}

async function readAll({ body }: Response, limit: Limit): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let byteSize = 0;
  if (body !== null) {
    const reader = body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      limit.extend(STALL_MS);
      parts.push(part.value);
      byteSize += part.value.byteLength;
    }
  }
  const bytes = new Uint8Array(byteSize);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

async function check(
  bytes: Uint8Array<ArrayBuffer>,
  { byteSize, sha256 }: NonNullable<Download['promised']>,
): Promise<void> {
  if (bytes.byteLength !== byteSize) {
    throw new DownloadError(`The picture has ${bytes.byteLength} bytes in the place of ${byteSize}.`);
  }
  // Browsers have it only where the page came by HTTPS or from this machine.
  const { subtle }: Partial<typeof globalThis.crypto> = globalThis.crypto;
  if (subtle === undefined) return;
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== sha256)
    throw new DownloadError('The picture is not the one that was stored: its SHA-256 differs.');
}

const reasonOf = (status: number): string =>
  status === 404 ? 'The picture was removed.' : `The picture could not be fetched: ${status}.`;

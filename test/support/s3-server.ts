import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

/** What an object store may do to those who ask it. */
export type S3Fault =
  /** Takes the request and never answers. */
  | 'hang'
  /** Sends half of a body, or reads some of one, and resets the connection. */
  | 'cut'
  /** Sends half of a body, and then nothing any more. */
  | 'stall'
  /** Resets the next connection as soon as a request comes, as one that was idle for too long; then works again. */
  | 'reset-once'
  /** Does not say which bytes it sends. */
  | 'no-range';

/** An S3 server on a free port of loopback, with one bucket, in memory. */
export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  /** As `GESSO_STORAGE_URL` would say it. */
  readonly storageUrl: string;
  /** What the bucket holds, by key. */
  readonly objects: ReadonlyMap<string, { readonly bytes: Buffer; readonly contentType: string | undefined }>;
  /** The requests that came, as `GET /bucket/key`. */
  readonly requests: readonly string[];
  /** How many requests are being answered. */
  readonly answering: number;
  /** Answers everything with this status, until it is undefined again; with a body that is not S3's where one is given. */
  failWith(status: number | undefined, body?: string): void;
  misbehave(fault: S3Fault | undefined): void;
  close(): Promise<void>;
}

/**
 * Starts the server. Signatures in headers and in URLs, their expiry, the XML of errors and the `response-*` parameters
 * are s3rver's. What s3rver takes lightly and S3 does not is done here: nobody reads without a signature, a body must
 * have the hash that was signed (which must be signed here, though S3 itself leaves that to the client), and a write is
 * seen as a whole or not at all.
 */
export async function startS3Server({ bucket = 'images', port = 0 } = {}): Promise<S3Server> {
  const objects = new Map<string, StoredObject>();
  const requests: string[] = [];
  let answering = 0;
  const listener = createS3rver(bucket, objects);
  let failure: { status: number; body: string | undefined } | undefined;
  let fault: S3Fault | undefined;

  const server = createServer((request, response) => {
    answering += 1;
    response.once('close', () => {
      answering -= 1;
    });
    requests.push(`${request.method} ${request.url?.split('?')[0]}`);
    // What is cut on purpose fails on both sides, which is the point.
    request.on('error', () => undefined);
    if (failure !== undefined) {
      request.resume();
      const { status, body } = failure;
      if (body === undefined) refuse(response, status, CODES[status] ?? 'InternalError');
      else response.writeHead(status, { 'Content-Type': 'text/html' }).end(body);
      return;
    }
    if (fault === 'hang') return;
    if (fault === 'reset-once') {
      fault = undefined;
      request.socket.resetAndDestroy();
      return;
    }
    if (fault === 'cut' && request.method === 'PUT') {
      request.once('data', () => request.socket.resetAndDestroy());
      return;
    }
    if (fault === 'cut' || fault === 'stall') sendHalf(response, fault);
    if (fault === 'no-range') response.once('pipe', () => response.removeHeader('Content-Range'));
    const isSigned = 'authorization' in request.headers || request.url?.includes('X-Amz-Signature=') === true;
    if (isSigned) listener(request, response);
    else refuse(response, 403, 'AccessDenied');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    accessKeyId: ACCESS_KEY_ID,
    secretAccessKey: SECRET_ACCESS_KEY,
    bucket,
    storageUrl: `s3://${bucket}?endpoint=${endpoint}&region=us-east-1`,
    objects,
    requests,
    get answering() {
      return answering;
    },
    failWith(status, body) {
      failure = status === undefined ? undefined : { status, body };
    },
    misbehave(kind) {
      fault = kind;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const ACCESS_KEY_ID = 'AKIATESTONLYTESTONLY';
const SECRET_ACCESS_KEY = 'test-only/secret+access+key+of+40+chars0';

const CODES: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  403: 'AccessDenied',
  404: 'NoSuchBucket',
  503: 'SlowDown',
};

const refuse = (response: ServerResponse, status: number, code: string): void => {
  response.writeHead(status, { 'Content-Type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>No.</Message></Error>`,
  );
};

/** Lets half of the first block out, and then cuts the connection, or leaves it as it is. */
const sendHalf = (response: ServerResponse, fault: 'cut' | 'stall'): void => {
  const write = response.write.bind(response) as (block: Uint8Array, then?: () => void) => boolean;
  let isOut = false;
  response.write = (block: Uint8Array) => {
    if (isOut) return false;
    isOut = true;
    const half = block.subarray(0, Math.ceil(block.length / 2));
    write(half, () => {
      if (fault === 'cut') response.socket?.resetAndDestroy();
    });
    return false;
  };
  const end = response.end.bind(response) as (...parameters: unknown[]) => ServerResponse;
  response.end = (...parameters: unknown[]) => (isOut ? response : end(...parameters));
};

interface StoredObject {
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  readonly metadata: Record<string, unknown>;
}

/** As much of s3rver as is used here; it brings no types. */
interface S3rver {
  store: unknown;
  readonly context: { store: unknown };
  on(event: 'error', listener: () => void): void;
  callback(): RequestListener;
}
interface S3rverObject {
  readonly bucket: string;
  readonly key: string;
  readonly content: IncomingMessage;
  readonly metadata: Record<string, unknown>;
}
type Constructor<Arguments extends unknown[], Instance> = new (...parameters: Arguments) => Instance;

const require = createRequire(import.meta.url);

const createS3rver = (bucket: string, objects: Map<string, StoredObject>): RequestListener => {
  const S3rverClass: Constructor<[object], S3rver> = require('@20minutes/s3rver');
  const S3Error: Constructor<
    [string, string],
    Error & { status: number }
  > = require('@20minutes/s3rver/lib/models/error');
  const { DUMMY_ACCOUNT } = require('@20minutes/s3rver/lib/models/account') as {
    DUMMY_ACCOUNT: { createKeyPair(accessKeyId: string, secretAccessKey: string): void };
  };
  DUMMY_ACCOUNT.createKeyPair(ACCESS_KEY_ID, SECRET_ACCESS_KEY);

  const read = (key: string, options: { start?: number; end?: number } = {}) => {
    const object = objects.get(key);
    if (object === undefined) return null;
    const { bytes, metadata } = object;
    const size = bytes.length;
    const start = options.start ?? 0;
    const end = Math.min(options.end ?? size - 1, size - 1);
    const hasRange = options.start !== undefined;
    return {
      size,
      metadata,
      range: hasRange ? { start, end } : undefined,
      content: hasRange && start >= size ? undefined : Readable.from([bytes.subarray(start, end + 1)]),
    };
  };
  const store = {
    getBucket: async (name: string) => (name === bucket ? { name } : null),
    getSubresource: async () => null,
    existsObject: async (_bucket: string, key: string) => objects.has(key),
    getObject: async (_bucket: string, key: string, options?: { start?: number; end?: number }) =>
      read(key, options),
    async putObject({ key, content, metadata }: S3rverObject) {
      const bytes = await buffer(content);
      const signed = content.headers['x-amz-content-sha256'];
      if (signed !== createHash('sha256').update(bytes).digest('hex')) {
        const error = new S3Error('XAmzContentSHA256Mismatch', 'The body is not the one that was signed.');
        throw Object.assign(error, { status: 400 });
      }
      const md5 = createHash('md5').update(bytes).digest('hex');
      const contentType = metadata['content-type'] as string | undefined;
      objects.set(key, {
        bytes,
        contentType,
        metadata: { ...metadata, etag: `"${md5}"`, 'last-modified': new Date().toUTCString() },
      });
      return { md5, size: bytes.length };
    },
    async deleteObject(_bucket: string, key: string) {
      objects.delete(key);
    },
  };

  const app = new S3rverClass({ silent: true, vhostBuckets: false });
  app.store = store;
  app.context.store = store;
  // It is answered with; Koa would write it to the console as well.
  app.on('error', () => undefined);
  return app.callback();
};

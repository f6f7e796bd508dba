import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { ConfigError, StorageError } from '../errors.ts';
import { assertBlobKey } from './blob-key.ts';
import type { BlobStore } from './blob-store.ts';
import { hashFile } from './s3-body.ts';
import { createS3Client, type S3Credentials } from './s3-client.ts';
import { isMisconfigured, isMissingBlob, isReset, readFailure, storageError } from './s3-failure.ts';
import { createProbe } from './s3-probe.ts';
import { openObject, uploadFile } from './s3-transfer.ts';
import type { S3Location } from './s3-url.ts';
import { within } from './within.ts';

export interface S3StoreOptions {
  readonly location: S3Location;
  /** Left out: what the AWS SDK finds (`AWS_ACCESS_KEY_ID`, a profile, a role, …). */
  readonly credentials?: S3Credentials | undefined;
  /** How long an answer may take, and bytes that are waited for; an upload has more by its size. @default 15_000 */
  readonly answerMs?: number | undefined;
  /** @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** Written and read to see whether the store works. No blob key begins with a dot. */
const PROBE = '.ready';
/** The longest that a signature of AWS holds: a week. */
const LONGEST_SIGNED_MS = 7 * 24 * 60 * 60 * 1000;
/** URLs that are signed within the same so many milliseconds are equal, so that browsers keep what they got. */
const SIGNED_EVERY_MS = 5 * 60 * 1000;

/**
 * Keeps blobs as objects in a bucket of AWS S3, or of a store that speaks its language. Nothing is held in memory
 * as a whole: bodies stream from the local file, and to the reader.
 *
 * @throws {ConfigError} when the store says that the bucket, the region or the key is wrong. One that is away or
 *   busy is opened all the same, and `check` says so.
 */
export const createS3Store = async ({
  location,
  credentials,
  answerMs = 15_000,
  now = Date.now,
}: S3StoreOptions): Promise<BlobStore> => {
  const { bucket: Bucket, prefix, endpoint } = location;
  const name = `s3://${Bucket}/${prefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
  const client = await createS3Client(location, credentials);
  const transfer = { client, answerMs };
  const objectOf = (key: string) => {
    assertBlobKey(key);
    return { Bucket, Key: prefix + key };
  };

  const probeObject = { Bucket, Key: prefix + PROBE };
  const probe = createProbe({
    write: () =>
      within(answerMs, (abortSignal) =>
        client.send(new PutObjectCommand({ ...probeObject, Body: 'ready?', ContentType: 'text/plain' }), {
          abortSignal,
        }),
      ),
    async read() {
      try {
        const { stream } = await openObject(probeObject, undefined, transfer);
        for await (const _ of stream);
        return true;
      } catch (error) {
        if (isMissingBlob(error)) return false;
        throw error;
      }
    },
  });

  const store: BlobStore = {
    name,

    async putFile(key, localPath, { contentType, sha256 }) {
      const input = {
        ...objectOf(key),
        ContentType: contentType,
        sha256: sha256 ?? (await hashFile(localPath)),
      };
      const send = () => uploadFile(localPath, input, transfer);
      const sendAgainAfterReset = (error: unknown) => {
        if (!isReset(error)) throw error;
        // Most likely a connection that the store had closed meanwhile. The SDK can't repeat a stream.
        return send();
      };
      try {
        await probe.watch(() => send().catch(sendAgainAfterReset));
      } catch (error) {
        throw storageError('store the image', error);
      }
    },

    async stat(key) {
      const input = objectOf(key);
      try {
        const { ContentLength } = await within(answerMs, (abortSignal) =>
          client.send(new HeadObjectCommand(input), { abortSignal }),
        );
        if (ContentLength === undefined) throw new StorageError('Could not look for the image (no size).');
        return { byteSize: ContentLength };
      } catch (error) {
        if (readFailure(error).status !== 404) throw storageError('look for the image', error);
      }
      // A HEAD has no body to say what is missing: the blob, or the bucket.
      const blob = await store.open(key);
      blob?.stream.destroy();
      return blob === undefined ? undefined : { byteSize: blob.byteSize };
    },

    async open(key, range) {
      const input = objectOf(key);
      if (range !== undefined && !isRange(range)) throw noSuchRange(range);
      try {
        return await openObject(input, range, transfer);
      } catch (error) {
        if (isMissingBlob(error)) return undefined;
        if (range !== undefined && readFailure(error).status === 416) throw noSuchRange(range);
        throw storageError('open the image', error);
      }
    },

    async signUrl(key, { method, expiresAt, contentType, fileName }) {
      const input = {
        ...objectOf(key),
        ResponseContentType: contentType,
        ResponseContentDisposition: `inline; filename="${fileName}"`,
      };
      const command = method === 'GET' ? new GetObjectCommand(input) : new HeadObjectCommand(input);
      const signedAtMs = Math.floor(now() / SIGNED_EVERY_MS) * SIGNED_EVERY_MS;
      try {
        // A role's key ends some time, and what it has signed ends with it.
        const { expiration } = await within(answerMs, () => client.config.credentials());
        const endsAtMs = Math.min(
          expiresAt.getTime(),
          signedAtMs + LONGEST_SIGNED_MS,
          expiration?.getTime() ?? Number.POSITIVE_INFINITY,
        );
        const expiresIn = Math.floor((endsAtMs - signedAtMs) / 1000);
        if (expiresIn < 1) throw new StorageError('Could not sign a URL of the image (its time is over).');
        const signed = { expiresIn, signingDate: new Date(signedAtMs) };
        const url = await within(answerMs, () => getSignedUrl(client, command, signed));
        return { url, expiresAt: new Date(signedAtMs + expiresIn * 1000) };
      } catch (error) {
        throw storageError('sign a URL of the image', error);
      }
    },

    async delete(key) {
      const input = objectOf(key);
      try {
        await within(answerMs, (abortSignal) => client.send(new DeleteObjectCommand(input), { abortSignal }));
      } catch (error) {
        if (!isMissingBlob(error)) throw storageError('remove the image', error);
      }
    },

    async check() {
      try {
        await probe.check();
      } catch (error) {
        throw storageError('use the image store', error);
      }
    },

    async close() {
      client.destroy();
    },
  };

  try {
    await probe.check();
  } catch (error) {
    // What mends itself is for `check` to tell. The rest is found now, before an image is bought that nobody can keep.
    if (isMisconfigured(error)) {
      await store.close();
      const { cause } = storageError('use the image store', error);
      throw new ConfigError(`The image store ${name} refuses us (${readFailure(error).code}).`, { cause });
    }
  }
  return store;
};

/** Stores take a range that makes no sense for none at all, and send the whole. */
const isRange = ({ start, end }: { start: number; end: number }): boolean =>
  Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;

const noSuchRange = ({ start, end }: { start: number; end: number }): RangeError =>
  new RangeError(`There are no bytes ${start} to ${end} in this blob.`);

import { Readable } from 'node:stream';
import {
  GetObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { StorageError } from '../errors.ts';
import { openUpload, readDownload } from './s3-body.ts';
import { within } from './within.ts';

export interface TransferOptions {
  readonly client: S3Client;
  /** How long an answer may take, and bytes that are waited for; an upload has more by its size. */
  readonly answerMs: number;
}

/** An upload that is slower than this on the whole has failed. */
const LEAST_BYTES_PER_MS = 256;

/**
 * Sends a local file as it is read. The store refuses it when its SHA-256, in lowercase hex, is another.
 *
 * @throws what the SDK throws; {StorageError} when the file can't be read.
 */
export const uploadFile = async (
  localPath: string,
  { sha256, ...input }: PutObjectCommandInput & { sha256: string },
  { client, answerMs }: TransferOptions,
): Promise<void> => {
  const { byteSize, stream, failed } = await openUpload(localPath);
  try {
    const command = new PutObjectCommand({ ...input, Body: stream, ContentLength: byteSize });
    // The body's hash is a part of the signature: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    // `ChecksumSHA256` would do the same at AWS, but Backblaze refuses the header, and others don't know it.
    command.middlewareStack.add(
      (next) => (step) => {
        (step.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
        return next(step);
      },
      { step: 'build' },
    );
    await within(answerMs + byteSize / LEAST_BYTES_PER_MS, (abortSignal) =>
      Promise.race([client.send(command, { abortSignal }), failed]),
    );
  } finally {
    stream.destroy();
  }
};

/**
 * Opens an object, or some bytes of it; the stream must be read or destroyed.
 *
 * @throws what the SDK throws; {StorageError} when the store sends other bytes than it was asked for.
 */
export const openObject = async (
  input: { Bucket: string; Key: string },
  range: { start: number; end: number } | undefined,
  { client, answerMs }: TransferOptions,
): Promise<{ byteSize: number; stream: Readable }> => {
  const Range = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` };
  const answer = await within(answerMs, (abortSignal) =>
    client.send(new GetObjectCommand({ ...input, ...Range }), { abortSignal }),
  );
  const { Body, ContentLength, ContentRange } = answer;
  if (!(Body instanceof Readable)) throw new StorageError('Could not open the image (no body).');
  const byteSize = range === undefined ? ContentLength : wholeOf(ContentRange, range);
  if (byteSize === undefined) {
    Body.destroy();
    throw new StorageError('Could not open the image (the store does not say which bytes it sends).');
  }
  return { byteSize, stream: readDownload(Body, answerMs) };
};

/** The size of the whole, from `bytes 0-9/100`; undefined where these are not the bytes that were asked for. */
const wholeOf = (
  contentRange: string | undefined,
  { start, end }: { start: number; end: number },
): number | undefined => {
  const [, first, last, whole] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? [];
  const byteSize = Number(whole);
  const isAsked = Number(first) === start && Number(last) === Math.min(end, byteSize - 1);
  return isAsked ? byteSize : undefined;
};

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { onDisk } from './local-disk.ts';
import { storageError } from './s3-failure.ts';
import { within } from './within.ts';

const READ_BLOCK_BYTE_SIZE = 256 * 1024;

/** A local file on its way to the store. */
export interface Upload {
  readonly byteSize: number;
  readonly stream: Readable;
  /** Rejects with a `StorageError` when the file can't be read; never resolves. */
  readonly failed: Promise<never>;
}

/** Opens a local file to be sent; its stream must be read or destroyed. */
export const openUpload = async (localPath: string): Promise<Upload> =>
  await onDisk('read the staged image', async () => {
    const file = await open(localPath, 'r');
    try {
      const { size: byteSize } = await file.stat();
      const stream = file.createReadStream({ highWaterMark: READ_BLOCK_BYTE_SIZE });
      const { promise: failed, reject } = Promise.withResolvers<never>();
      // Heard whether or not somebody still waits for it.
      failed.catch(() => undefined);
      stream.on('error', (error) => reject(storageError('read the staged image', error)));
      return { byteSize, stream, failed };
    } catch (error) {
      await file.close();
      throw error;
    }
  });

/** The SHA-256 of a local file, in lowercase hex. */
export const hashFile = async (localPath: string): Promise<string> =>
  await onDisk('read the staged image', async () => {
    const hash = createHash('sha256');
    await using file = await open(localPath, 'r');
    await pipeline(file.createReadStream({ highWaterMark: READ_BLOCK_BYTE_SIZE, autoClose: false }), hash);
    return hash.digest('hex');
  });

/**
 * A blob on its way from the store. Ends with a `StorageError` when it is cut, or when no byte comes for `stallMs`
 * although its reader waits for one: a reader may take as long as it likes. Destroyed, it cuts the connection.
 */
export const readDownload = (source: Readable, stallMs: number): Readable => {
  // What fails before the first read is told by that read.
  source.on('error', () => undefined);
  const blocks: AsyncIterator<Uint8Array> = source[Symbol.asyncIterator]();
  return new Readable({
    highWaterMark: READ_BLOCK_BYTE_SIZE,
    read() {
      within(stallMs, () => blocks.next()).then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: unknown) => this.destroy(storageError('read the image', error)),
      );
    },
    destroy(error, callback) {
      source.destroy();
      callback(error);
    },
  });
};

import { copyFile, open, rm, stat, truncate } from 'node:fs/promises';
import { unlessMissing } from './system-error.ts';

/** The log may grow to this before its older part is put aside; one older part is kept. */
const LARGEST_LOG_BYTES = 8 * 1024 * 1024;

/**
 * Keeps the server's log within bounds. The server holds the file open for appending, so it is copied and
 * emptied in place rather than renamed; a line written between the two is lost.
 */
export async function boundLog(path: string, largestBytes: number = LARGEST_LOG_BYTES): Promise<void> {
  if ((await logSize(path)) <= largestBytes) return;
  await rm(`${path}.1`, { force: true });
  await copyFile(path, `${path}.1`);
  await truncate(path);
}

/** Size in bytes; 0 where there is no log yet. */
export const logSize = async (path: string): Promise<number> => (await unlessMissing(stat(path)))?.size ?? 0;

/** What the server wrote since the log had `offset` bytes: the last 2,000 characters of it. */
export async function readLogSince(path: string, offset: number): Promise<string> {
  const size = await logSize(path);
  const start = Math.max(offset > size ? 0 : offset, size - 2000);
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(size - start),
      position: start,
    });
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}

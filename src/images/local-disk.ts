import { closeSync, fsync, openSync, unlinkSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StorageError } from '../errors.ts';

/**
 * Does a piece of work on the local disk. Whatever it throws becomes a `StorageError` that says what was tried,
 * with the disk's own error as `cause`: the message may reach a client, so it names no path.
 */
export const onDisk = async <Result>(what: string, work: () => Result | Promise<Result>): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError(`Could not ${what} (${diskErrorCode(error)}).`, { cause: error });
  }
};

/** `ENOSPC`, `EACCES`, …; `unknown error` where there is none. */
export const diskErrorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';

/** Whether the disk says that there is no such file. */
export const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(diskErrorCode(error));

/** The answer of `work`, or undefined where the file that it needs is not there. */
export const unlessMissing = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
  try {
    return await work();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

/** Moves a file, also to another disk; nobody ever sees half of it at `to`. */
export const moveFile = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to);
  } catch (error) {
    if (diskErrorCode(error) !== 'EXDEV') throw error;
    const aside = `${to}.part`;
    await copyFile(from, aside);
    await rename(aside, to);
    await rm(from, { force: true });
  }
};

/**
 * Flushes a file's bytes to the disk itself. Only the flush leaves the thread: opening and closing cost less than a
 * trip to the thread pool.
 */
export const syncFile = async (path: string): Promise<void> => {
  const file = openSync(path, 'r+');
  try {
    await flush(file);
  } finally {
    closeSync(file);
  }
};

/** Flushes a folder's list of names, without which a new file's name may not survive a power cut. */
export const syncFolder = async (path: string): Promise<void> => {
  // Windows can't open a folder, and writes names through by itself.
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    await flush(folder);
  } finally {
    closeSync(folder);
  }
};

const flush = promisify(fsync);

/** Removes a file, if it is there. */
export const removeFile = (path: string): void => {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
};

/** Makes a folder and those above it that are missing, so that they survive a power cut. */
export const makeFolderDurably = async (path: string): Promise<void> => {
  const firstMade = await mkdir(path, { recursive: true });
  if (firstMade === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === firstMade) return;
  }
};

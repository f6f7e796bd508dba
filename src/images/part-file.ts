import { renameSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { moveFile, onDisk } from './local-disk.ts';

/** A file that grows block by block and has its final name only when it is whole. Throws `StorageError`. */
export interface PartFile {
  /** Whether nothing was written yet. */
  readonly isEmpty: boolean;
  /** Writes a block that is likely all there is, without leaving the thread. More may still be appended. */
  writeAtOnce(block: Uint8Array): Promise<void>;
  /** Resolves when the block is the caller's again. */
  append(block: Uint8Array): Promise<void>;
  /** Gives the file its final name, on the same disk. */
  finish(path: string): Promise<void>;
  /** Moves the file away as it is, to another disk too. */
  moveTo(path: string): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Nothing is flushed to the disk here: what was written survives the end of this process, and the store flushes it
 * before an image counts as kept.
 */
export const createPartFile = (path: string): PartFile => {
  let file: FileHandle | undefined;
  let isEmpty = true;

  const close = async () => {
    const closing = file;
    file = undefined;
    await closing?.close();
  };

  return {
    get isEmpty() {
      return isEmpty;
    },
    // A small write that stays in the page cache takes a fraction of a trip to the thread pool.
    writeAtOnce: (block) =>
      onDisk('write the picture to staging', () => {
        writeFileSync(path, block);
        isEmpty = false;
      }),
    append: (block) =>
      onDisk('write the picture to staging', async () => {
        file ??= await open(path, isEmpty ? 'w' : 'a');
        isEmpty = false;
        await file.appendFile(block);
      }),
    finish: (finalPath) =>
      onDisk('finish the staged picture', async () => {
        await close();
        renameSync(path, finalPath);
      }),
    moveTo: (otherPath) =>
      onDisk('move the picture out of staging', async () => {
        await close();
        await moveFile(path, otherPath);
      }),
    remove: () =>
      onDisk('remove the unfinished picture', async () => {
        await close();
        if (!isEmpty) await rm(path, { force: true });
      }),
  };
};

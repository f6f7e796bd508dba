import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assertBlobKey } from './blob-key.ts';
import type { BlobStore } from './blob-store.ts';
import { isMissing, makeFolderDurably, onDisk, syncFile, syncFolder, unlessMissing } from './local-disk.ts';

/** Where files lie until they are whole. No blob key begins with a dot. */
const ASIDE_FOLDER = '.aside';
const ASIDE_KEPT_MS = 24 * 60 * 60 * 1000;
const READ_BLOCK_BYTE_SIZE = 256 * 1024;

/**
 * Keeps blobs as files in a folder. A file is put aside, flushed, renamed to its name, and its folder flushed.
 *
 * Where staging lies on the same disk no byte is copied: the blob is a second name (a hard link) for the staged
 * file. So the staged one is still found if the process is killed before the ledger knows of the image, and
 * removing it later costs nothing. Where a link can't be made the bytes are copied.
 */
export const createFileStore = async ({
  folder,
  now = Date.now,
}: {
  /** Made if missing. Several processes may share it. */
  folder: string;
  /** @default Date.now */
  now?: (() => number) | undefined;
}): Promise<BlobStore> => {
  const asideFolder = join(folder, ASIDE_FOLDER);
  const newAside = () => join(asideFolder, randomUUID());
  const pathOf = (key: string): string => {
    assertBlobKey(key);
    return join(folder, ...key.split('/'));
  };

  await onDisk('open the image folder', async () => {
    await makeFolderDurably(asideFolder);
    await removeLeftovers(asideFolder, now() - ASIDE_KEPT_MS);
  });

  return {
    name: `file:${folder}`,

    async putFile(key, localPath) {
      const path = pathOf(key);
      const aside = newAside();
      await onDisk('store the image', async () => {
        try {
          await linkOrCopy(localPath, aside);
          await syncFile(aside);
          await makeFolderDurably(dirname(path));
          await rename(aside, path);
          await syncFolder(dirname(path));
        } finally {
          // Still there after a failure, and where both names already meant one file: then rename does nothing.
          await rm(aside, { force: true });
        }
      });
    },

    async stat(key) {
      const path = pathOf(key);
      const file = await onDisk('look for the image', () => unlessMissing(() => stat(path)));
      return file?.isFile() === true ? { byteSize: file.size } : undefined;
    },

    async open(key, range) {
      const path = pathOf(key);
      const file = await onDisk('open the image', () => unlessMissing(() => open(path, 'r')));
      if (file === undefined) return undefined;
      try {
        const { size: byteSize } = await onDisk('open the image', () => file.stat());
        if (range !== undefined) assertRange(range, byteSize);
        const stream = file.createReadStream({ ...range, highWaterMark: READ_BLOCK_BYTE_SIZE });
        return { byteSize, stream };
      } catch (error) {
        await file.close();
        throw error;
      }
    },

    async delete(key) {
      const path = pathOf(key);
      await onDisk('remove the image', () => unlessMissing(() => rm(path)));
    },

    async check() {
      const probe = newAside();
      await onDisk('write to the image folder', async () => {
        await mkdir(asideFolder, { recursive: true });
        await writeFile(probe, 'ready?');
        await rm(probe, { force: true });
      });
    },
  };
};

const linkOrCopy = async (from: string, to: string): Promise<void> => {
  try {
    await link(from, to);
  } catch (error) {
    if (isMissing(error)) throw error;
    // Another disk, or a file system without links. A copy that fails says better than a link what is wrong.
    await copyFile(from, to);
  }
};

/** What a killed process left half done. Recent files may be another replica's work. */
const removeLeftovers = async (folder: string, writtenBefore: number): Promise<void> => {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const file = await unlessMissing(() => stat(path));
    if (file !== undefined && file.ctimeMs < writtenBefore) await rm(path, { force: true });
  }
};

const assertRange = ({ start, end }: { start: number; end: number }, byteSize: number): void => {
  const isGood = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end >= start;
  if (!isGood || start >= byteSize) {
    throw new RangeError(`There are no bytes ${start} to ${end} in a blob of ${byteSize}.`);
  }
};

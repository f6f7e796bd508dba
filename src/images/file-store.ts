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
 * Keeps blobs as files in a folder, each flushed before it has its name there, and the folder after.
 *
 * Where staging lies on the same disk no byte is copied: the blob is a second name (a hard link) for the staged
 * file. So the staged one is still found if the process is killed before the ledger knows of the image, and
 * removing it later costs nothing. Where a link can't be made the bytes are copied aside, and renamed.
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
  /** Asked of the disk once: a folder is made for the first of its images. */
  const madeFolders = new Set<string>();
  const makeFolder = async (path: string): Promise<void> => {
    if (madeFolders.has(path)) return;
    await makeFolderDurably(path);
    madeFolders.add(path);
  };
  /** The long way, for a name that is taken or a disk that is not the same: copied aside, flushed, renamed. */
  const replace = async (from: string, to: string): Promise<void> => {
    const aside = newAside();
    try {
      await makeFolder(dirname(to));
      await copyFile(from, aside);
      await syncFile(aside);
      await rename(aside, to);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  };
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
      await onDisk('store the image', async () => {
        await makeFolder(dirname(path));
        try {
          await syncFile(localPath);
          await link(localPath, path);
        } catch (error) {
          // Gone meanwhile; another disk, or a file system without links; or the name is taken.
          if (isMissing(error)) madeFolders.delete(dirname(path));
          await replace(localPath, path);
        }
        await syncFolder(dirname(path));
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

    // Nobody else can read this disk: images go by way of the gateway.
    signUrl: undefined,

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

    async close() {},
  };
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

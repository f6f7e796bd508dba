import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';
import { createFileStore } from './file-store.ts';

const SUPPORTED = 'a folder, as a path (./data/images) or as a URL (file:///var/lib/gesso/images)';

/**
 * Opens the blob store that a setting names: a path or a `file:` URL is a folder on this machine.
 *
 * @throws {ConfigError} for any other; {StorageError} when the folder can't be used.
 */
export const openBlobStore = async (storageUrl: string): Promise<BlobStore> =>
  await createFileStore({ folder: folderOf(storageUrl) });

const folderOf = (storageUrl: string): string => {
  if (storageUrl.trim() === '') throw new ConfigError(`The image storage is empty; supported: ${SUPPORTED}.`);
  // One letter before the colon is a Windows drive.
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(storageUrl)?.[1]?.toLowerCase();
  if (scheme === undefined) return resolve(storageUrl);
  // The rest of the URL may hold a password, so it is in no message.
  if (scheme !== 'file')
    throw new ConfigError(`Image storage "${scheme}:" is not supported; supported: ${SUPPORTED}.`);
  if (!/^file:\/\/(localhost)?\//i.test(storageUrl)) {
    throw new ConfigError(`A file: URL needs an absolute path; supported: ${SUPPORTED}.`);
  }
  return fileURLToPath(storageUrl);
};

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';
import { createFileStore } from './file-store.ts';
import { parseS3Url, S3_URL_FORM } from './s3-url.ts';

const SUPPORTED =
  'a folder, as a path (./data/images) or as a URL (file:///var/lib/gesso/images), ' +
  `and a bucket of an S3-compatible store (${S3_URL_FORM})`;

/**
 * Opens the blob store that a setting names: a path or a `file:` URL is a folder on this machine, an `s3:` URL a
 * bucket of an object store.
 *
 * @throws {ConfigError} for any other, and when an object store refuses us; {StorageError} when the folder can't be used.
 */
export const openBlobStore = async (storageUrl: string): Promise<BlobStore> => {
  if (schemeOf(storageUrl) !== 's3') return await createFileStore({ folder: folderOf(storageUrl) });
  const location = parseS3Url(storageUrl);
  // The vendor's SDK is larger than all of ours: whoever keeps images in a folder does not wait for it.
  const { createS3Store } = await import('./s3-store.ts');
  return await createS3Store({ location });
};

/** Undefined for a path. One letter before the colon is a Windows drive. */
const schemeOf = (storageUrl: string): string | undefined =>
  /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(storageUrl)?.[1]?.toLowerCase();

const folderOf = (storageUrl: string): string => {
  if (storageUrl.trim() === '') throw new ConfigError(`The image storage is empty; supported: ${SUPPORTED}.`);
  const scheme = schemeOf(storageUrl);
  if (scheme === undefined) return resolve(storageUrl);
  // The rest of the URL may hold a password, so it is in no message.
  if (scheme !== 'file')
    throw new ConfigError(`Image storage "${scheme}:" is not supported; supported: ${SUPPORTED}.`);
  if (!/^file:\/\/(localhost)?\//i.test(storageUrl)) {
    throw new ConfigError(`A file: URL needs an absolute path; supported: ${SUPPORTED}.`);
  }
  return fileURLToPath(storageUrl);
};

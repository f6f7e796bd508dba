import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { blobKeyOf } from '../../images/blob-key.ts';
import type { BlobStore } from '../../images/blob-store.ts';
import { openBlobStore } from '../../images/open-store.ts';
import { type Check, good, look, messageOf, wrong } from './check.ts';
import { nearestFolder } from './data-folder.ts';

/** Whether a probe can be stored, read again and removed. A folder that isn't there is not made for this. */
export const storage: Check = {
  name: 'Image storage',
  async look({ config: { storageUrl, dataDir } }) {
    try {
      const isFolder = !/^[a-z][a-z0-9+.-]+:/i.test(storageUrl);
      if (isFolder && (await nearestFolder(storageUrl)) !== storageUrl) {
        const missing = `${storageUrl} is not there yet; the first start makes it`;
        if (storageUrl.startsWith(dataDir)) return good(missing);
        return look(missing, 'Is it a mounted folder? Then mount it before the gateway starts.');
      }
      const store = await openBlobStore(storageUrl);
      try {
        await tryOut(store);
        return good(`${store.name}: stored, read and removed a probe`);
      } finally {
        await store.close();
      }
    } catch (error) {
      const advice = /^s3:/i.test(storageUrl)
        ? 'See GESSO_STORAGE_URL, and the credentials that the AWS SDK finds (AWS_ACCESS_KEY_ID, …).'
        : 'Give the folder to the user that runs the gateway, or set GESSO_STORAGE_URL.';
      return wrong(`Images can't be kept: ${messageOf(error)}`, advice);
    }
  },
};

/** @throws where the store fails, or gives back something else. */
async function tryOut(store: BlobStore): Promise<void> {
  // Where an image would lie, so that no folder is left that no image has.
  const key = blobKeyOf(randomUUID());
  const folder = await mkdtemp(join(tmpdir(), 'gesso-doctor-'));
  const probe = Buffer.from(`gesso doctor ${key}`);
  try {
    const path = join(folder, 'probe');
    await writeFile(path, probe);
    await store.putFile(key, path, { contentType: 'text/plain' });
    const blob = await store.open(key);
    if (blob === undefined) throw new Error('what was stored is not found');
    if (!probe.equals(await buffer(blob.stream))) throw new Error('what was stored is read back changed');
    await store.delete(key);
    if ((await store.stat(key)) !== undefined) throw new Error('what was removed is still there');
  } finally {
    // Once more, for whatever went wrong in between; a store that is away has nothing to remove.
    await store.delete(key).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { createFileStore } from '../../src/images/file-store.ts';
import { describeBlobStore } from '../../src/testing/describe-blob-store.ts';
import { temporaryFolder } from './pictures.ts';

describeBlobStore(
  'file store',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gesso-file-store-'));
    const store = await createFileStore({ folder });
    return { store, close: () => rm(folder, { recursive: true, force: true }) };
  },
  { signsUrls: false },
);

const open = async () => {
  const root = await temporaryFolder();
  const folder = join(root, 'images');
  const staged = join(root, 'staged.png');
  await writeFile(staged, 'staged');
  return { folder, staged, store: await createFileStore({ folder }) };
};

describe('file store', () => {
  it('leaves the staged file to whoever staged it, and copies no byte on the same disk', async () => {
    const { folder, staged, store } = await open();
    await store.putFile('ab/one.png', staged, { contentType: 'image/png' });
    expect((await stat(join(folder, 'ab', 'one.png'))).ino).toBe((await stat(staged)).ino);
    await rm(staged);
    expect(await store.stat('ab/one.png')).toEqual({ byteSize: 6 });
  });

  it('leaves nothing aside, also when it stores the same file twice or fails', async () => {
    const { folder, staged, store } = await open();
    await store.putFile('ab/one.png', staged, { contentType: 'image/png' });
    await store.putFile('ab/one.png', staged, { contentType: 'image/png' });
    await mkdir(join(folder, 'cd', 'folder.png'), { recursive: true });
    const refused = store.putFile('cd/folder.png', staged, { contentType: 'image/png' });
    await expect(refused).rejects.toBeInstanceOf(StorageError);
    await store.check();
    expect(await readdir(join(folder, '.aside'))).toEqual([]);
  });

  it('removes at start what a killed process left, but not what another may be writing', async () => {
    const { folder } = await open();
    for (const name of ['one', 'two']) await writeFile(join(folder, '.aside', name), 'half');
    await createFileStore({ folder });
    expect(await readdir(join(folder, '.aside'))).toEqual(['one', 'two']);
    await createFileStore({ folder, now: () => Date.now() + 25 * 3_600_000 });
    expect(await readdir(join(folder, '.aside'))).toEqual([]);
  });

  it('is not ready when its folder is gone and something else is in its place', async () => {
    const { folder, staged, store } = await open();
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file');
    await expect(store.check()).rejects.toBeInstanceOf(StorageError);
    await expect(store.putFile('a/b.png', staged, { contentType: 'image/png' })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      retryable: true,
    });
    await expect(createFileStore({ folder })).rejects.toBeInstanceOf(StorageError);
  });

  it('closes the file of a stream that is destroyed unread', async () => {
    const { staged, store } = await open();
    await store.putFile('a/b.png', staged, { contentType: 'image/png' });
    const blob = await store.open('a/b.png');
    const closed = new Promise((resolve) => blob?.stream.once('close', resolve));
    blob?.stream.destroy();
    await closed;
    expect(blob?.stream.closed).toBe(true);
  });
});

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from '../images/blob-store.ts';

/** A store to be tested, empty, and how to remove it. */
export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  /** Removes what the store needed beside itself. */
  readonly close?: () => Promise<void>;
}

/** What every driver of `BlobStore` must do; a driver's own test file calls it. */
export const describeBlobStore = (
  name: string,
  create: () => Promise<BlobStoreUnderTest>,
  /** Whether blobs can be had from the store itself, by URLs that it signs. */
  { signsUrls }: { signsUrls: boolean },
): void => {
  describe(`${name} as a BlobStore`, () => {
    let store: BlobStore;
    let close: (() => Promise<void>) | undefined;
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gesso-blobs-'));
      ({ store, close } = await create());
    });
    afterEach(async () => {
      await store.close();
      await close?.();
      await rm(folder, { recursive: true, force: true });
    });

    const put = async (key: string, bytes: Uint8Array) => {
      const path = join(folder, `local-${randomBytes(8).toString('hex')}`);
      await writeFile(path, bytes);
      await store.putFile(key, path, { contentType: 'image/png' });
    };
    const read = async (key: string, range?: { start: number; end: number }) => {
      const blob = await store.open(key, range);
      return blob === undefined ? undefined : { byteSize: blob.byteSize, bytes: await buffer(blob.stream) };
    };

    const signUrl = async (key: string, expiresAt: Date) => {
      const { signUrl = expect.unreachable() } = store;
      return await signUrl(key, { method: 'GET', expiresAt, contentType: 'image/png', fileName: 'x.png' });
    };

    it('has a name and can be written to, as often as it is asked', async () => {
      expect(store.name).not.toBe('');
      for (let round = 0; round < 3; round += 1) await expect(store.check()).resolves.toBeUndefined();
      await expect(Promise.all([store.check(), store.check()])).resolves.toEqual([undefined, undefined]);
    });

    it('gives back what was put, byte for byte', async () => {
      for (const byteSize of [0, 1, 1000, 3_000_000]) {
        const bytes = randomBytes(byteSize);
        await put('ab/picture.png', bytes);
        expect(await store.stat('ab/picture.png')).toEqual({ byteSize });
        const blob = await read('ab/picture.png');
        expect(blob?.byteSize).toBe(byteSize);
        expect(blob?.bytes.equals(bytes)).toBe(true);
      }
    });

    it('takes the hash from whoever knows it', async () => {
      const bytes = randomBytes(100_000);
      const path = join(folder, 'hashed');
      await writeFile(path, bytes);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await store.putFile('a/b.png', path, { contentType: 'image/png', sha256 });
      expect((await read('a/b.png'))?.bytes.equals(bytes)).toBe(true);
    });

    it('knows nothing of what was not put', async () => {
      await put('ab/there.png', Buffer.from('x'));
      for (const key of ['ab/none.png', 'none/none.png', 'ab', 'ab/there.png/below']) {
        expect(await store.stat(key), key).toBeUndefined();
      }
      expect(await store.open('ab/none.png')).toBeUndefined();
      expect(await store.open('ab/none.png', { start: 0, end: 1 })).toBeUndefined();
    });

    it('reads ranges, both ends included, and says how large the whole is', async () => {
      const bytes = randomBytes(1_000_000);
      await put('a/b.png', bytes);
      for (const [start, end] of [
        [0, 0],
        [0, 999_999],
        [10, 19],
        [999_999, 999_999],
        [500_000, 2_000_000],
      ] as const) {
        const blob = await read('a/b.png', { start, end });
        expect(blob?.byteSize).toBe(1_000_000);
        expect(blob?.bytes.equals(bytes.subarray(start, end + 1)), `${start}-${end}`).toBe(true);
      }
    });

    it('refuses a range that begins behind the last byte', async () => {
      await put('a/b.png', Buffer.from('0123456789'));
      await expect(store.open('a/b.png', { start: 10, end: 12 })).rejects.toBeInstanceOf(RangeError);
      await put('a/empty.png', Buffer.alloc(0));
      await expect(store.open('a/empty.png', { start: 0, end: 0 })).rejects.toBeInstanceOf(RangeError);
    });

    it('replaces a blob as a whole', async () => {
      await put('a/b.png', Buffer.from('the first and longer'));
      await put('a/b.png', Buffer.from('the second'));
      expect((await read('a/b.png'))?.bytes.toString()).toBe('the second');
    });

    it('shows no reader half a blob, while writers replace it', async () => {
      const versions = [1, 2, 3, 4].map((version) => Buffer.alloc(200_000 + version, version));
      await put('a/b.png', versions[0] ?? Buffer.alloc(0));
      let writing = true;
      const writes = Promise.all(versions.map((version) => put('a/b.png', version))).finally(() => {
        writing = false;
      });
      do {
        const bytes = (await read('a/b.png'))?.bytes ?? Buffer.alloc(0);
        expect(versions.some((version) => version.equals(bytes))).toBe(true);
      } while (writing);
      await writes;
    });

    it('takes and gives many at once', async () => {
      const keys = Array.from({ length: 64 }, (_, index) => `a/${index}.png`);
      await Promise.all(keys.map((key) => put(key, Buffer.alloc(50_000, key))));
      const blobs = await Promise.all(keys.map((key) => read(key)));
      for (const [index, key] of keys.entries()) {
        expect(blobs[index]?.bytes.equals(Buffer.alloc(50_000, key)), key).toBe(true);
      }
    });

    it('takes the same local file again', async () => {
      const path = join(folder, 'staged');
      for (let round = 0; round < 2; round += 1) {
        await writeFile(path, 'staged bytes');
        await store.putFile('a/b.png', path, { contentType: 'image/png' });
      }
      expect((await read('a/b.png'))?.bytes.toString()).toBe('staged bytes');
    });

    it('deletes, as often as it is told to', async () => {
      await put('a/b.png', Buffer.from('x'));
      await store.delete('a/b.png');
      await store.delete('a/b.png');
      await store.delete('never/was.png');
      expect(await store.stat('a/b.png')).toBeUndefined();
    });

    it('leaves a blob alone while others are put and deleted beside it', async () => {
      await put('a/b.png', Buffer.from('kept'));
      await put('a/c.png', Buffer.from('other'));
      await store.delete('a/c.png');
      expect((await read('a/b.png'))?.bytes.toString()).toBe('kept');
      expect(await store.stat('a/c.png')).toBeUndefined();
    });

    it('lets a reader go that has read nothing, or not all', async () => {
      await put('a/b.png', randomBytes(3_000_000));
      for (const blocksRead of [0, 1]) {
        const blob = await store.open('a/b.png');
        const stream = blob?.stream ?? expect.unreachable();
        if (blocksRead > 0) await once(stream, 'data');
        const closed = once(stream, 'close');
        stream.destroy();
        await closed;
        expect(stream.readableEnded).toBe(false);
      }
      expect((await read('a/b.png'))?.bytes.length).toBe(3_000_000);
    });

    if (signsUrls) {
      it('signs URLs that open a blob to whoever has them', async () => {
        await put('a/b.png', Buffer.from('by URL'));
        const expiresAt = new Date(Date.now() + 600_000);
        const { url, expiresAt: endsAt } = await signUrl('a/b.png', expiresAt);
        expect(endsAt.getTime()).toBeLessThanOrEqual(expiresAt.getTime());
        const answer = await fetch(url);
        expect(answer.status).toBe(200);
        expect(answer.headers.get('Content-Type')).toBe('image/png');
        expect(await answer.text()).toBe('by URL');
      });
    } else {
      it('signs no URLs', () => {
        expect(store.signUrl).toBeUndefined();
      });
    }

    it('says that the store failed when there is no such local file', async () => {
      const put = store.putFile('a/b.png', join(folder, 'gone'), { contentType: 'image/png' });
      await expect(put).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
      expect(await store.stat('a/b.png')).toBeUndefined();
    });

    it.each([
      '',
      '/',
      '/etc/passwd',
      '../outside',
      'a/../../outside',
      'a/..',
      './a',
      'a//b',
      'a/',
      '.hidden',
      'a/.hidden',
      'A.png',
      'a b',
      'a\\b',
      'a\0b',
      'a%2e%2e',
      'é',
      'a\nb',
      `${'a'.repeat(300)}`,
    ])('refuses the key %j', async (key) => {
      const path = join(folder, 'local');
      await writeFile(path, 'x');
      await expect(store.putFile(key, path, { contentType: 'image/png' })).rejects.toBeInstanceOf(TypeError);
      await expect(store.stat(key)).rejects.toBeInstanceOf(TypeError);
      await expect(store.open(key)).rejects.toBeInstanceOf(TypeError);
      await expect(store.delete(key)).rejects.toBeInstanceOf(TypeError);
      if (signsUrls) await expect(signUrl(key, new Date())).rejects.toBeInstanceOf(TypeError);
    });
  });
};

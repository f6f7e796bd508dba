import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import { createFileStore } from '../../src/images/file-store.ts';
import { createRenditions, type Renditions, type RenditionsOptions } from '../../src/images/renditions.ts';
import type { ServedImage } from '../../src/images/served-image.ts';
import type { ImageTransform } from '../../src/images/transform.ts';
import { drawPng, temporaryFolder } from './pictures.ts';

const KEY = 'ab/picture.png';
const webp = (maxWidth: number): ImageTransform => ({ maxWidth, fit: 'CONTAIN', format: 'WEBP' });

const open = async (options: Partial<RenditionsOptions> = {}) => {
  const root = await temporaryFolder();
  const folder = join(root, 'renditions');
  const files = await createFileStore({ folder: join(root, 'images') });
  let opened = 0;
  const store: BlobStore = {
    ...files,
    open: (...parameters) => {
      opened += 1;
      return files.open(...parameters);
    },
  };
  const put = async (key: string, bytes: Buffer) => {
    await writeFile(join(root, 'staged'), bytes);
    await files.putFile(key, join(root, 'staged'), { contentType: 'image/png' });
    await rm(join(root, 'staged'));
  };
  const png = await drawPng(400, 300, { channels: 4 });
  await put(KEY, png);
  const reopen = () => createRenditions({ store, folder, ...options });
  return { root, folder, store, put, png, renditions: await reopen(), reopen, timesOpened: () => opened };
};
const bytesOf = async (rendition: ServedImage | undefined, range?: { start: number; end: number }) =>
  rendition === undefined ? undefined : await buffer(await rendition.stream(range));
const read = async (renditions: Renditions, key: string, transform: ImageTransform) => {
  const rendition = await renditions.open(key, transform);
  if (rendition === undefined) return undefined;
  return { ...rendition, bytes: await buffer(await rendition.stream()) };
};

describe('renditions', () => {
  it.each([
    ['PNG', 'image/png', 'png'],
    ['JPEG', 'image/jpeg', 'jpeg'],
    ['WEBP', 'image/webp', 'webp'],
    ['AVIF', 'image/avif', 'heif'],
  ] as const)('makes %s', async (format, contentType, decodedAs) => {
    const { renditions } = await open();
    const made = await read(renditions, KEY, { maxWidth: 200, fit: 'CONTAIN', format });
    expect(made).toMatchObject({ contentType, byteSize: made?.bytes.length });
    expect(await sharp(made?.bytes).metadata()).toMatchObject({ format: decodedAs, width: 200, height: 150 });
  });

  it('serves the picture itself, byte for byte, where nothing is to change', async () => {
    const { renditions, png, folder } = await open();
    const same = await read(renditions, KEY, { fit: 'CONTAIN', format: 'PNG' });
    expect(same?.bytes.equals(png)).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  it('crops what hangs over, in the middle', async () => {
    const { renditions, put } = await open();
    const stripes = Buffer.alloc(90 * 30 * 3);
    for (let pixel = 0; pixel < 90 * 30; pixel += 1) stripes[pixel * 3 + Math.floor((pixel % 90) / 30)] = 255;
    await put(
      'ab/stripes.png',
      await sharp(stripes, { raw: { width: 90, height: 30, channels: 3 } })
        .png()
        .toBuffer(),
    );
    const made = await read(renditions, 'ab/stripes.png', {
      maxWidth: 30,
      maxHeight: 30,
      fit: 'COVER',
      format: 'PNG',
    });
    const { data, info } = await sharp(made?.bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 30, height: 30 });
    expect([...data.subarray(15 * 90 + 45, 15 * 90 + 48)]).toEqual([0, 255, 0]);
  });

  it('carries no metadata over', async () => {
    const { renditions, put } = await open();
    const exif = { IFD0: { Copyright: 'the prompt, perhaps' } };
    const noted = await sharp(await drawPng(50, 50))
      .withExif(exif)
      .withIccProfile('p3')
      .png()
      .toBuffer();
    expect(await sharp(noted).metadata()).toHaveProperty('exif');
    await put('ab/noted.png', noted);
    for (const format of ['PNG', 'JPEG', 'WEBP', 'AVIF'] as const) {
      const made = await read(renditions, 'ab/noted.png', { maxWidth: 40, fit: 'CONTAIN', format });
      const metadata = await sharp(made?.bytes).metadata();
      expect(metadata.exif, format).toBeUndefined();
      expect(metadata.icc, format).toBeUndefined();
      expect(made?.bytes.includes('the prompt'), format).toBe(false);
    }
  });

  it('go when they are told to, by when they were made, and are made again when they are asked for', async () => {
    const { renditions, folder, timesOpened } = await open();
    await read(renditions, KEY, webp(100));
    const [old = ''] = await readdir(folder);
    await utimes(join(folder, old), new Date(1_000), new Date(1_000));
    await read(renditions, KEY, webp(50));
    expect(await renditions.sweep(999)).toEqual({ removed: 0 });
    expect(await renditions.sweep(1_000)).toEqual({ removed: 1 });
    expect(await readdir(folder)).not.toContain(old);
    expect(await readdir(folder)).toHaveLength(1);
    const before = timesOpened();
    expect((await read(renditions, KEY, webp(100)))?.bytes.length).toBeGreaterThan(0);
    await read(renditions, KEY, webp(50));
    expect(timesOpened()).toBe(before + 1);
  });

  it('makes each one once, also when many ask at the same time', async () => {
    const { renditions, timesOpened, folder } = await open();
    const all = await Promise.all(Array.from({ length: 20 }, () => read(renditions, KEY, webp(100))));
    await read(renditions, KEY, webp(100));
    expect(timesOpened()).toBe(1);
    expect(new Set(all.map((made) => made?.etag)).size).toBe(1);
    expect(all.every((made) => made?.bytes.equals(all[0]?.bytes ?? Buffer.alloc(0)))).toBe(true);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('reads ranges', async () => {
    const { renditions } = await open();
    const whole = await read(renditions, KEY, webp(300));
    const rendition = await renditions.open(KEY, webp(300));
    const some = await bytesOf(rendition, { start: 10, end: 29 });
    expect(some).toEqual(whole?.bytes.subarray(10, 30));
  });

  it('knows after a restart what it had, with the same entity tags', async () => {
    const { renditions, reopen, timesOpened } = await open();
    const before = await read(renditions, KEY, webp(120));
    const after = await read(await reopen(), KEY, webp(120));
    expect(after?.etag).toBe(before?.etag);
    expect(timesOpened()).toBe(1);
  });

  it('keeps within its number of entries, the least recently used leaving first', async () => {
    const { renditions, timesOpened, folder } = await open({ maxEntries: 3 });
    for (const width of [10, 20, 30]) await read(renditions, KEY, webp(width));
    await read(renditions, KEY, webp(10));
    await read(renditions, KEY, webp(40));
    expect(await readdir(folder)).toHaveLength(3);
    expect(timesOpened()).toBe(4);
    await read(renditions, KEY, webp(10));
    expect(timesOpened()).toBe(4);
    await read(renditions, KEY, webp(20));
    expect(timesOpened()).toBe(5);
  });

  it('keeps within its bytes, also after a restart with fewer', async () => {
    const { renditions, folder, store } = await open();
    let byteSize = 0;
    for (const width of [100, 200, 300, 400])
      byteSize += (await read(renditions, KEY, webp(width)))?.byteSize ?? 0;
    expect(await readdir(folder)).toHaveLength(4);
    await createRenditions({ store, folder, maxBytes: byteSize - 1 });
    expect(await readdir(folder)).toHaveLength(3);
  });

  it('serves one that is larger than the whole cache', async () => {
    const { renditions, folder } = await open({ maxBytes: 1 });
    for (const width of [100, 200])
      expect((await read(renditions, KEY, webp(width)))?.bytes.length).toBeGreaterThan(1);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('makes again what was deleted under it, and goes on reading what is open', async () => {
    const { renditions, folder, timesOpened } = await open();
    const before = await read(renditions, KEY, webp(150));
    const held = await renditions.open(KEY, webp(150));
    for (const name of await readdir(folder)) await rm(join(folder, name));
    expect(await bytesOf(held)).toEqual(before?.bytes);
    expect((await read(renditions, KEY, webp(150)))?.bytes).toEqual(before?.bytes);
    expect(timesOpened()).toBe(2);
  });

  it('clears at start what a killed process left half made, and nothing that is not its own', async () => {
    const { folder, reopen } = await open();
    await writeFile(join(folder, 'half.part'), 'half');
    await writeFile(join(folder, 'notes.txt'), 'not ours');
    await reopen();
    expect(await readdir(folder)).toEqual(['notes.txt']);
  });

  it('serves no rendition of a picture that was removed', async () => {
    const { renditions, store } = await open();
    await read(renditions, KEY, webp(100));
    await store.delete(KEY);
    expect(await renditions.open(KEY, webp(100))).toBeUndefined();
    expect(await renditions.open('ab/never.png', webp(100))).toBeUndefined();
    expect(await renditions.open('ab/never.png', { fit: 'CONTAIN', format: 'PNG' })).toBeUndefined();
  });

  it('says that storage failed when the stored picture is spoilt, and tries again the next time', async () => {
    const { renditions, put, png } = await open();
    await put('ab/spoilt.png', png.subarray(0, 300));
    await expect(renditions.open('ab/spoilt.png', webp(100))).rejects.toBeInstanceOf(StorageError);
    await put('ab/spoilt.png', png);
    expect(await read(renditions, 'ab/spoilt.png', webp(100))).toBeDefined();
  });

  it('says that storage failed when its folder is gone', async () => {
    const { renditions, folder } = await open();
    await rm(folder, { recursive: true });
    await expect(renditions.open(KEY, webp(100))).rejects.toBeInstanceOf(StorageError);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from 'thumbhash';
import { describe, expect, it } from 'vitest';
import { InvalidPictureError, StorageError } from '../../src/errors.ts';
import { createMeasure } from '../../src/images/measure.ts';
import {
  assemblePng,
  chunk,
  drawPng,
  headerChunk,
  noisePng,
  noiseRows,
  temporaryFolder,
} from './pictures.ts';

const measureBytes = async (bytes: Buffer, measure = createMeasure()) => {
  const path = join(await temporaryFolder(), 'picture.png');
  await writeFile(path, bytes);
  return await measure(path);
};

/** An animation of two frames, as APNG writes it: decoders that know no APNG see the first. */
const animatedPng = (): Buffer => {
  const frame = deflateSync(noiseRows(12, 8));
  const control = Buffer.alloc(26);
  control.writeUInt32BE(12, 4);
  control.writeUInt32BE(8, 8);
  const second = Buffer.from(control);
  second.writeUInt32BE(1, 0);
  return assemblePng(
    headerChunk(12, 8),
    chunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])),
    chunk('fcTL', control),
    chunk('IDAT', frame),
    chunk('fcTL', second),
    chunk('fdAT', Buffer.concat([Buffer.from([0, 0, 0, 2]), frame])),
  );
};

describe('measure', () => {
  it.each<[string, () => Promise<Buffer> | Buffer, number, number]>([
    ['24-bit colour', () => drawPng(300, 200), 300, 200],
    ['grey', () => drawPng(31, 17, { channels: 1 }), 31, 17],
    ['alpha', () => drawPng(50, 80, { channels: 4 }), 50, 80],
    ['a palette', () => drawPng(120, 60, { options: { palette: true } }), 120, 60],
    ['interlacing', () => drawPng(200, 300, { options: { progressive: true } }), 200, 300],
    ['one pixel', () => drawPng(1, 1), 1, 1],
    ['one column', () => drawPng(1, 3000), 1, 3000],
    ['one row', () => drawPng(16_384, 1), 16_384, 1],
    ['two frames', animatedPng, 12, 8],
    [
      '16 bits a channel',
      async () =>
        sharp(await drawPng(40, 30))
          .toColourspace('rgb16')
          .png()
          .toBuffer(),
      40,
      30,
    ],
    [
      '16-bit grey',
      async () =>
        sharp(await drawPng(40, 30, { channels: 1 }))
          .toColourspace('grey16')
          .png()
          .toBuffer(),
      40,
      30,
    ],
  ])('measures a picture with %s', async (_, draw, width, height) => {
    const measured = await measureBytes(await draw());
    expect(measured).toEqual({ width, height, thumbhash: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) });
  });

  it('does not turn a picture, whatever its metadata says', async () => {
    const turned = await sharp(await drawPng(60, 20))
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    expect((await sharp(turned).metadata()).orientation).toBe(6);
    expect(await measureBytes(turned)).toMatchObject({ width: 60, height: 20 });
  });

  it('gives a thumbhash of the picture', async () => {
    const red = { width: 400, height: 200, channels: 3, background: '#c01020' } as const;
    const { thumbhash } = await measureBytes(await sharp({ create: red }).png().toBuffer());
    const hash = Buffer.from(thumbhash, 'base64');
    const average = thumbHashToAverageRGBA(hash);
    expect(average.r).toBeCloseTo(0xc0 / 255, 1);
    expect(average.g).toBeCloseTo(0x10 / 255, 1);
    expect(average.b).toBeCloseTo(0x20 / 255, 1);
    expect(thumbHashToApproximateAspectRatio(hash)).toBeGreaterThan(1.5);
  });

  it.each<[string, (width: number, height: number, rows: Buffer) => Buffer]>([
    ['whose last row is missing', (width, _, rows) => deflateSync(rows.subarray(0, -(width * 3 + 1)))],
    ['whose last byte is missing', (_w, _h, rows) => deflateSync(rows.subarray(0, -1))],
    ['whose compressed data is cut', (_w, _h, rows) => deflateSync(rows).subarray(0, -30)],
    ['whose compressed data is noise', (_w, _h, rows) => rows],
    [
      'whose inner checksum is wrong',
      (_w, _h, rows) => {
        const data = deflateSync(rows);
        data.writeUInt8(data.readUInt8(data.length - 1) ^ 1, data.length - 1);
        return data;
      },
    ],
    [
      'whose last row has an unknown filter',
      (width, height, rows) => {
        rows[(width * 3 + 1) * (height - 1)] = 9;
        return deflateSync(rows);
      },
    ],
  ])('refuses a picture %s, though every chunk is sound', async (_, compress) => {
    const [width, height] = [700, 500];
    const png = assemblePng(
      headerChunk(width, height),
      chunk('IDAT', compress(width, height, noiseRows(width, height))),
    );
    await expect(measureBytes(png)).rejects.toBeInstanceOf(InvalidPictureError);
  });

  it.each([
    ['HTML', Buffer.from('<!doctype html>')],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', async (_, bytes) => {
    const error = await measureBytes(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidPictureError);
    expect(String(error)).not.toContain('picture.png');
  });

  it('refuses a JPEG, and pixels over the limit', async () => {
    const jpeg = await sharp(await drawPng(9, 9))
      .jpeg()
      .toBuffer();
    await expect(measureBytes(jpeg)).rejects.toBeInstanceOf(InvalidPictureError);
    const measure = createMeasure({ maxPixels: 100 });
    await expect(measureBytes(await drawPng(10, 10), measure)).resolves.toMatchObject({ width: 10 });
    await expect(measureBytes(await drawPng(101, 1), measure)).rejects.toBeInstanceOf(InvalidPictureError);
  });

  it('calls a file that is not there a StorageError', async () => {
    await expect(createMeasure()(join(await temporaryFolder(), 'gone.png'))).rejects.toBeInstanceOf(
      StorageError,
    );
  });

  it('measures many at once', async () => {
    const path = join(await temporaryFolder(), 'picture.png');
    await writeFile(path, noisePng(64, 64));
    const measure = createMeasure({ decodesAtOnce: 2 });
    const all = await Promise.all(Array.from({ length: 30 }, () => measure(path)));
    expect(new Set(all.map((measured) => measured.thumbhash)).size).toBe(1);
  });
});

import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { PngLimits } from '../../src/images/png-header.ts';
import { createPngWalk } from '../../src/images/png-walk.ts';
import { assemblePng, chunk, drawPng, headerChunk, noisePng, SIGNATURE, textBomb } from './pictures.ts';

const faultOf = (bytes: Buffer, { blockByteSize = bytes.length, limits = {} as PngLimits } = {}) => {
  const walk = createPngWalk(limits);
  for (let at = 0; at < bytes.length; at += blockByteSize) walk.write(bytes.subarray(at, at + blockByteSize));
  expect(walk.complete).toBe(walk.fault === undefined);
  return walk.fault;
};
const pixels = chunk('IDAT', deflateSync(Buffer.alloc(4)));

describe('createPngWalk', () => {
  it('takes what sharp draws, whatever the kind', async () => {
    for (const options of [{}, { palette: true }, { progressive: true }, { compressionLevel: 0 }]) {
      expect(faultOf(await drawPng(64, 48, { options }))).toBeUndefined();
    }
    expect(faultOf(await drawPng(64, 48, { channels: 1 }))).toBeUndefined();
    expect(faultOf(await drawPng(64, 48, { channels: 4 }))).toBeUndefined();
  });

  it('sees the same in blocks of any size', () => {
    const good = noisePng(20, 10);
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(60) ^ 1, 60);
    for (let blockByteSize = 1; blockByteSize <= 40; blockByteSize += 1) {
      expect(faultOf(good, { blockByteSize })).toBeUndefined();
      expect(faultOf(bad, { blockByteSize })).toBe('the checksum of chunk IDAT is wrong');
    }
  });

  it('refuses a PNG that is cut anywhere', () => {
    const whole = noisePng(6, 4);
    for (let length = 0; length < whole.length; length += 1) {
      expect(faultOf(whole.subarray(0, length))).toMatch(/signature|cut off/);
    }
  });

  it('refuses any single byte that is changed', () => {
    const whole = noisePng(6, 4);
    for (let at = 0; at < whole.length; at += 1) {
      const changed = Buffer.from(whole);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x20, at);
      expect(faultOf(changed), `byte ${at}`).toBeDefined();
    }
  });

  it('refuses bytes behind the end', () => {
    expect(faultOf(Buffer.concat([noisePng(6, 4), Buffer.from('<script>')]))).toMatch(/follow its end/);
  });

  it.each([
    ['JPEG', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0])],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['HTML', Buffer.from('<!doctype html><script>alert(1)</script>')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', (_, bytes) => {
    expect(faultOf(bytes)).toMatch(/signature/);
  });

  it.each([
    ['60000 × 60000 pixels', headerChunk(60_000, 60_000), /60000 × 60000/],
    ['no width', headerChunk(0, 5), /0 × 5/],
    ['a side of 16385', headerChunk(16_385, 1), /16385 × 1/],
    ['more than 100 megapixels', headerChunk(10_001, 10_000), /10001 × 10000/],
    ['an impossible bit depth', headerChunk(5, 5, { bitDepth: 4 }), /bit depth of 4/],
    ['an impossible colour type', headerChunk(5, 5, { colourType: 5 }), /colour type 5/],
    ['an unknown interlacing', headerChunk(5, 5, { interlace: 2 }), /interlace 2/],
    ['an interlaced giant', headerChunk(9000, 9000, { interlace: 1 }), /decode in one piece/],
  ])('refuses a header with %s as soon as it is read', (_, header, fault) => {
    const walk = createPngWalk();
    walk.write(Buffer.concat([SIGNATURE, header]));
    expect(walk.fault).toMatch(fault);
  });

  it('keeps to the limits that it is given', () => {
    const picture = noisePng(30, 20);
    expect(faultOf(picture, { limits: { maxSide: 29 } })).toMatch(/30 × 20/);
    expect(faultOf(picture, { limits: { maxPixels: 599 } })).toMatch(/30 × 20/);
    expect(faultOf(picture, { limits: { maxSide: 30, maxPixels: 600 } })).toBeUndefined();
  });

  it.each([
    ['another first chunk', assemblePng(pixels, headerChunk(1, 1)), /first chunk/],
    ['a second header', assemblePng(headerChunk(1, 1), headerChunk(1, 1), pixels), /only one/],
    ['a header of another length', assemblePng(chunk('IHDR', Buffer.alloc(12)), pixels), /wrong length/],
    ['no pixels', assemblePng(headerChunk(1, 1)), /no IDAT/],
    ['an impossible name', assemblePng(headerChunk(1, 1), chunk('a\0cd'), pixels), /impossible name/],
    ['data in its end', Buffer.concat([SIGNATURE, headerChunk(1, 1), pixels, chunk('IEND', pixels)]), /IEND/],
    [
      '17 MB of text',
      assemblePng(headerChunk(1, 1), chunk('tEXt', Buffer.alloc(17 * 2 ** 20)), pixels),
      /metadata/,
    ],
  ])('refuses a PNG with %s', (_, bytes, fault) => {
    expect(faultOf(bytes)).toMatch(fault);
  });

  const text = (type: string, before: string, inflated: Buffer) =>
    assemblePng(
      headerChunk(1, 1),
      chunk(type, Buffer.concat([Buffer.from(before), deflateSync(inflated)])),
      pixels,
    );

  it.each([
    ['zTXt', 'Comment\0\0'],
    ['iCCP', 'sRGB\0\0'],
    ['iTXt', 'Comment\0\x01\0en\0Kommentar\0'],
  ])(
    'takes a compressed %s of some size, and refuses one that inflates to more than 4 MiB',
    (type, before) => {
      expect(faultOf(text(type, before, Buffer.alloc(2 ** 22)))).toBeUndefined();
      for (const blockByteSize of [7, 10_000]) {
        expect(faultOf(text(type, before, Buffer.alloc(2 ** 22 + 1)), { blockByteSize })).toMatch(
          /compressed texts/,
        );
      }
    },
  );

  it('counts all of its texts together, in flat memory', () => {
    const small = chunk('zTXt', Buffer.concat([Buffer.from('k\0\0'), deflateSync(Buffer.alloc(100_000))]));
    const withTexts = (count: number) =>
      assemblePng(headerChunk(1, 1), ...Array<Buffer>(count).fill(small), pixels);
    expect(faultOf(withTexts(41))).toBeUndefined();
    expect(faultOf(withTexts(42))).toMatch(/compressed texts/);

    const bomb = textBomb(200);
    const before = process.memoryUsage().rss;
    expect(faultOf(bomb, { blockByteSize: 64 * 1024 })).toMatch(/compressed texts/);
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 2 ** 20);
  });

  it('bears with a few texts that are broken, as decoders do, and not with many', () => {
    const broken = chunk('zTXt', Buffer.from('k\0\0no zlib'));
    const withBroken = (count: number) =>
      assemblePng(headerChunk(1, 1), ...Array<Buffer>(count).fill(broken), pixels);
    expect(faultOf(withBroken(4))).toBeUndefined();
    expect(faultOf(withBroken(5))).toMatch(/compressed texts/);
    for (const data of ['', 'k', 'k\0', 'k\0\x01', 'k\0\x01\0', 'k\0\0\0\0\0plain']) {
      expect(
        faultOf(assemblePng(headerChunk(1, 1), chunk('iTXt', Buffer.from(data)), pixels)),
      ).toBeUndefined();
    }
  });
});

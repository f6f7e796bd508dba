import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type PngOptions } from 'sharp';
import { onTestFinished } from 'vitest';

export const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A folder that is removed when the test ends. */
export const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-images-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

/** A picture by sharp: a gradient, so that it is neither flat nor large. */
export const drawPng = async (
  width: number,
  height: number,
  { channels = 3, options = {} }: { channels?: 1 | 3 | 4; options?: PngOptions } = {},
): Promise<Buffer> => {
  const pixels = Buffer.alloc(width * height * channels);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = Math.floor((at / pixels.length) * 255);
  return await sharp(pixels, { raw: { width, height, channels } }).png(options).toBuffer();
};

/** One PNG chunk, its checksum right. */
export const chunk = (type: string, data: Uint8Array = new Uint8Array()): Buffer => {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
};

export const headerChunk = (
  width: number,
  height: number,
  { bitDepth = 8, colourType = 2, interlace = 0 } = {},
): Buffer => {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([bitDepth, colourType, 0, 0, interlace], 8);
  return chunk('IHDR', data);
};

/** A PNG from its chunks. */
export const assemblePng = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([SIGNATURE, ...chunks, chunk('IEND')]);

/** Rows of 8-bit RGB noise as PNG filters them (none), before deflate. */
export const noiseRows = (width: number, height: number): Buffer => {
  const rows = randomBytes((width * 3 + 1) * height);
  for (let row = 0; row < height; row += 1) rows[row * (width * 3 + 1)] = 0;
  return rows;
};

/** A decodable picture of noise: about three bytes a pixel, whatever the compression. */
export const noisePng = (width: number, height: number): Buffer =>
  assemblePng(headerChunk(width, height), chunk('IDAT', deflateSync(noiseRows(width, height), { level: 0 })));

/** Text chunks of 7 KB that inflate to 7 MB each. */
export const textBomb = (texts: number): Buffer => {
  const inflated = deflateSync(Buffer.alloc(7_000_000, 'A'));
  const bombs = Array.from({ length: texts }, (_, number) =>
    chunk('zTXt', Buffer.concat([Buffer.from(`k${number}\0\0`), inflated])),
  );
  return assemblePng(headerChunk(8, 8), ...bombs, chunk('IDAT', deflateSync(noiseRows(8, 8))));
};

/** The bytes as a source hands them over, in blocks. */
export async function* inBlocks(bytes: Uint8Array, blockByteSize = 192 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += blockByteSize) yield bytes.subarray(at, at + blockByteSize);
}

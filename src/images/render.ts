import type { Sharp } from 'sharp';
import { readPngSize } from './png-header.ts';
import { type ImageTransform, renditionSize } from './transform.ts';
import { sharp } from './vips.ts';

/** A render that takes longer is given up: it would hold one of few places. */
const RENDER_TIMEOUT_SECONDS = 60;

/**
 * Makes a rendition of a PNG. It is in sRGB with 8 bits a channel, without any metadata, and has exactly the size
 * that `renditionSize` foretells.
 *
 * @throws {TypeError} for what is no PNG, and sharp's own errors when the picture does not decode.
 */
export const render = async (
  png: Buffer,
  transform: ImageTransform,
  { maxPixels }: { maxPixels: number },
): Promise<Buffer> => {
  const size = readPngSize(png);
  if (size === undefined) throw new TypeError('The stored picture is no PNG.');
  const { width, height } = renditionSize(size, transform);
  const resized = sharp(png, { failOn: 'error', limitInputPixels: maxPixels, sequentialRead: true })
    // The ratio is already in the numbers; sharp is to take them as they are, with no rounding of its own.
    .resize(width, height, { fit: transform.fit === 'COVER' ? 'cover' : 'fill' })
    .toColourspace('srgb')
    .timeout({ seconds: RENDER_TIMEOUT_SECONDS });
  return await encode(resized, transform).toBuffer();
};

/** Someone waits for the picture, so the efforts are lower than the encoders' own: a little larger, much sooner. */
const encode = (picture: Sharp, { format, quality }: ImageTransform): Sharp => {
  switch (format) {
    case 'PNG':
      return picture.png();
    case 'JPEG':
      // JPEG knows no transparency; white is what a page is likely to have behind it.
      return picture.flatten({ background: '#ffffff' }).jpeg({ quality: quality ?? 80 });
    case 'WEBP':
      return picture.webp({ quality: quality ?? 80, effort: 2 });
    case 'AVIF':
      return picture.avif({ quality: quality ?? 50, effort: 2 });
  }
};

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { render } from '../../src/images/render.ts';
import { checkTransform, type ImageTransform, renditionSize } from '../../src/images/transform.ts';
import { drawPng } from './pictures.ts';

const plain: ImageTransform = { fit: 'CONTAIN', format: 'WEBP' };

describe('checkTransform', () => {
  it.each<ImageTransform>([
    plain,
    { fit: 'CONTAIN', format: 'PNG' },
    { ...plain, maxWidth: 1, maxHeight: 8192, quality: 1 },
    { ...plain, fit: 'COVER', maxWidth: 10, maxHeight: 10, quality: 100 },
  ])('takes %j', (transform) => {
    expect(checkTransform(transform)).toEqual([]);
  });

  it.each<[ImageTransform, string]>([
    [{ ...plain, maxWidth: 0 }, 'maxWidth'],
    [{ ...plain, maxWidth: 8193 }, 'maxWidth'],
    [{ ...plain, maxHeight: 1.5 }, 'maxHeight'],
    [{ ...plain, maxHeight: Number.NaN }, 'maxHeight'],
    [{ ...plain, quality: 0 }, 'quality'],
    [{ ...plain, quality: 101 }, 'quality'],
    [{ ...plain, format: 'PNG', quality: 80 }, 'quality'],
    [{ ...plain, fit: 'COVER' }, 'fit'],
    [{ ...plain, fit: 'COVER', maxWidth: 5 }, 'fit'],
  ])('refuses %j for its %s', (transform, field) => {
    expect(checkTransform(transform).map((issue) => issue.path)).toEqual([[field]]);
  });
});

describe('renditionSize', () => {
  const landscape = { width: 3840, height: 2160 };

  it.each<[Partial<ImageTransform>, number, number]>([
    [{}, 3840, 2160],
    [{ maxWidth: 640 }, 640, 360],
    [{ maxHeight: 640 }, 1138, 640],
    [{ maxWidth: 640, maxHeight: 100 }, 178, 100],
    [{ maxWidth: 8192, maxHeight: 8192 }, 3840, 2160],
    [{ fit: 'COVER', maxWidth: 500, maxHeight: 500 }, 500, 500],
    [{ fit: 'COVER', maxWidth: 8000, maxHeight: 4000 }, 3840, 1920],
    [{ fit: 'COVER', maxWidth: 1, maxHeight: 8192 }, 1, 2160],
  ])('of 4K with %j is %i × %i', (changes, width, height) => {
    expect(renditionSize(landscape, { ...plain, ...changes })).toEqual({ width, height });
  });

  it('bounds a giant, except where it is served as it is', () => {
    const giant = { width: 16_384, height: 4096 };
    expect(renditionSize(giant, plain)).toEqual({ width: 8192, height: 2048 });
    expect(renditionSize(giant, { fit: 'CONTAIN', format: 'PNG' })).toEqual(giant);
  });

  it.each<[number, number, ImageTransform]>([
    [1, 1, { fit: 'CONTAIN', format: 'AVIF' }],
    [1, 1, { maxWidth: 5, maxHeight: 9, fit: 'COVER', format: 'WEBP' }],
    [16_384, 1, { fit: 'CONTAIN', format: 'WEBP' }],
    [1, 16_384, { fit: 'CONTAIN', format: 'AVIF' }],
    [16_384, 3, { maxHeight: 1, fit: 'CONTAIN', format: 'PNG' }],
    [5000, 2, { maxWidth: 1, maxHeight: 1, fit: 'COVER', format: 'PNG' }],
  ])('of %i × %i is what sharp makes of it with %j', async (width, height, transform) => {
    const made = await sharp(
      await render(await drawPng(width, height), transform, { maxPixels: 1e8 }),
    ).metadata();
    expect({ width: made.width, height: made.height }).toEqual(renditionSize({ width, height }, transform));
  });

  it('is never larger than the picture or the box, and what sharp really makes', async () => {
    // A fixed seed, so that a failure can be repeated.
    let seed = 20_240_607;
    const upTo = (most: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return 1 + (seed % most);
    };
    for (let round = 0; round < 60; round += 1) {
      const image = { width: upTo(round % 3 === 0 ? 2000 : 90), height: upTo(round % 4 === 0 ? 2000 : 70) };
      const png = await drawPng(image.width, image.height, { options: { compressionLevel: 1 } });
      for (const fit of ['CONTAIN', 'COVER'] as const) {
        const [maxWidth, maxHeight] = [upTo(round % 2 === 0 ? 1500 : 60), upTo(round % 5 === 0 ? 1500 : 60)];
        const boxes = [{ maxWidth, maxHeight }, ...(fit === 'CONTAIN' ? [{ maxWidth }, { maxHeight }] : [])];
        for (const box of boxes) {
          const transform: ImageTransform = { ...box, fit, format: 'JPEG' };
          const size = renditionSize(image, transform);
          const made = await sharp(await render(png, transform, { maxPixels: 1e8 })).metadata();
          const what = JSON.stringify({ image, transform });
          expect({ width: made.width, height: made.height }, what).toEqual(size);
          expect(size.width, what).toBeLessThanOrEqual(
            Math.min(image.width, box.maxWidth ?? Number.POSITIVE_INFINITY),
          );
          expect(size.height, what).toBeLessThanOrEqual(
            Math.min(image.height, box.maxHeight ?? Number.POSITIVE_INFINITY),
          );
        }
      }
    }
  });
});

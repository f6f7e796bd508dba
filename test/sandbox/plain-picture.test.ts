import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { plainPicture } from '../../src/sandbox/sandbox.ts';

describe('plainPicture', () => {
  it.each([
    { width: 1, height: 1 },
    { width: 1, height: 1, noise: true },
    { width: 1024, height: 1024 },
    { width: 301, height: 77, noise: true },
  ])('is a PNG that decodes: $width x $height', async (options) => {
    const { info } = await sharp(plainPicture(options), { failOn: 'warning' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: options.width, height: options.height });
  });

  it('is small without noise, and about 18 MB of noise at 4K', () => {
    expect(plainPicture({ width: 1024, height: 1024 }).byteLength).toBeLessThan(1500);
    const noisy = plainPicture({ width: 3840, height: 2160, noise: true }).byteLength;
    expect(noisy).toBeGreaterThan(17e6);
    expect(noisy).toBeLessThan(20e6);
  });

  it('depends on its options only', () => {
    const of = (seed: number, noise: boolean): Buffer => plainPicture({ width: 40, height: 30, seed, noise });
    for (const noise of [false, true]) {
      expect(of(1, noise).equals(of(1, noise))).toBe(true);
      expect(of(1, noise).equals(of(2, noise))).toBe(false);
    }
  });
});

import sharp from 'sharp';
import { blooms } from './art/blooms.ts';
import type { Canvas, Composition } from './art/canvas.ts';
import { orbits } from './art/orbits.ts';
import { choosePalette } from './art/palettes.ts';
import { ribbons } from './art/ribbons.ts';
import { ridges } from './art/ridges.ts';
import { signature } from './art/signature.ts';
import { tiles } from './art/tiles.ts';
import type { Pixels } from './pixels.ts';
import { randomFrom, sfc32 } from './random.ts';
import { createTurnstile } from './turnstile.ts';

const COMPOSITIONS: readonly [Composition, ...Composition[]] = [ridges, orbits, ribbons, tiles, blooms];

/** Drawing holds about 100 MB at 4K, so only this many pictures are drawn at once; the others wait in line. */
const DRAWN_AT_ONCE = 2;

/**
 * Draws a picture: a PNG of exactly the given pixels, the same bytes for the same prompt and pixels. One prompt
 * keeps its motif and its colours in every size. About 0.1 s for 1024x1024, a second for 3840x2160.
 */
export async function draw(prompt: string, pixels: Pixels): Promise<Buffer> {
  return await easel(() =>
    sharp(Buffer.from(compose(prompt, pixels)))
      .composite([
        { input: GRAIN, raw: { width: 512, height: 512, channels: 4 }, tile: true, blend: 'soft-light' },
      ])
      .removeAlpha()
      .png({ compressionLevel: 1 })
      .toBuffer(),
  );
}

/** The picture as SVG. The prompt is in it as painted letters only, never as text: there is nothing to escape. */
export function compose(prompt: string, { width, height }: Pixels): string {
  const unit = Math.min(width, height) / 1000;
  const random = randomFrom(prompt, 'art');
  const palette = choosePalette(prompt, random);
  const composition = random.pick(COMPOSITIONS);
  const canvas: Canvas = { width: width / unit, height: height / unit, palette, random };
  const { defs, shapes, ink } = composition(canvas);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${canvas.width} ${canvas.height}"><defs>${defs}</defs>${shapes}${signature(canvas, prompt, ink)}</svg>`
  );
}

/** Film grain: it hides the steps of 8-bit gradients, and gives the PNG the weight of a real one. */
const GRAIN = grain();
function grain(): Buffer {
  const next = sfc32(0x6765, 0x7373, 0x6f21, 1);
  const pixels = Buffer.alloc(512 * 512 * 4);
  for (let offset = 0; offset < pixels.length; offset += 4) {
    const value = next();
    pixels.fill(value & 1 ? 255 : 0, offset, offset + 3);
    pixels[offset + 3] = (value >>> 8) % 22;
  }
  return pixels;
}

const easel = createTurnstile(DRAWN_AT_ONCE);

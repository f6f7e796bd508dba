import { pixelsFor } from './pixels.ts';
import { plainPicture } from './plain-picture.ts';
import type { SandboxRequest } from './request.ts';

/**
 * Where the pictures come from: `drawn`, handsome ones; `plain`, stripes of the same pixels in a few milliseconds;
 * one picture for all requests; or a function.
 */
export type PictureOption =
  | 'drawn'
  | 'plain'
  | Buffer
  | ((request: SandboxRequest) => Buffer | Promise<Buffer>);

/** Makes the PNG for a request. */
export type PictureSource = (request: SandboxRequest) => Promise<Buffer>;

export function pictureSource(option: PictureOption): PictureSource {
  if (option === 'drawn') return drawnPicture;
  if (option === 'plain') return stripedPicture;
  if (typeof option === 'function') return async (request) => option(request);
  return async () => option;
}

async function drawnPicture({ prompt, size }: SandboxRequest): Promise<Buffer> {
  // Loaded when the first picture is drawn: whoever brings own pictures never waits for libvips.
  const { draw } = await import('./draw.ts');
  return await draw(prompt, pixelsFor(prompt, size));
}

async function stripedPicture({ prompt, size }: SandboxRequest): Promise<Buffer> {
  const seed = [...prompt].reduce(
    (sum, letter) => (Math.imul(sum, 31) + (letter.codePointAt(0) ?? 0)) | 0,
    7,
  );
  return plainPicture({ ...pixelsFor(prompt, size), seed });
}

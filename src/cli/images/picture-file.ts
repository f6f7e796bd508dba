import { relative } from 'node:path';
import type { CallOptions, GeneratedImage } from '../../client/index.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { isOriginal, type Rendering } from './file-format.ts';
import { writeWhole } from './output-files.ts';

/** A picture that was fetched and written. */
export interface PictureFile {
  readonly image: GeneratedImage;
  /** From the working folder; undefined for standard output. */
  readonly file: string | undefined;
  /** Of the picture in the file, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Of the file. */
  readonly byteSize: number;
  readonly contentType: string;
}

/** Where pictures are to be written, and how. */
export interface Destination {
  readonly rendering: Rendering;
  readonly force: boolean;
  /** Ends the fetching. */
  readonly signal?: AbortSignal;
}

/** Fetches a picture as it is wanted, and writes it to a file, or to standard output where none is named. */
export async function writePicture(
  image: GeneratedImage,
  path: string | undefined,
  { rendering, force, signal }: Destination,
  { stdout, folder }: Terminal,
): Promise<PictureFile> {
  const { width, height, contentType, bytes } = await fetchPicture(image, rendering, { signal });
  const size = { width, height, contentType, byteSize: bytes.byteLength };
  if (path === undefined) {
    await new Promise<void>((resolve, reject) =>
      stdout.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve())),
    );
    return { image, file: undefined, ...size };
  }
  const written = await writeWhole(path, bytes, { force });
  return { image, file: relative(folder, written), ...size };
}

async function fetchPicture(image: GeneratedImage, rendering: Rendering, call: CallOptions) {
  if (isOriginal(rendering)) return { ...sizeOf(image), bytes: await image.bytes(call) };
  const { maxWidth, maxHeight, fit, format, quality } = rendering;
  const made = await image.rendition({ maxWidth, maxHeight, fit, format, quality }, call);
  return { ...sizeOf(made), bytes: await made.bytes(call) };
}

const sizeOf = ({ width, height, contentType }: { width: number; height: number; contentType: string }) => ({
  width,
  height,
  contentType,
});

import { closeSync, openSync, readSync } from 'node:fs';
import { rgbaToThumbHash } from 'thumbhash';
import { InvalidPictureError } from '../errors.ts';
import { onDisk } from './local-disk.ts';
import { createPlaces } from './places.ts';
import { PNG_SIZE_BYTE_SIZE, readPngSize } from './png-header.ts';
import { sharp } from './vips.ts';

export interface Measurements {
  /** Decoded width in pixels; a note in the metadata to turn the picture changes nothing. */
  readonly width: number;
  /** Decoded height in pixels. */
  readonly height: number;
  /** https://evanw.github.io/thumbhash/, base64. */
  readonly thumbhash: string;
}

/**
 * Decodes every pixel of a PNG file.
 *
 * @throws {InvalidPictureError} when it doesn't decode; {StorageError} when the file can't be read.
 */
export type Measure = (path: string) => Promise<Measurements>;

/** ThumbHash takes up to 100 × 100 but keeps 7 × 7 waves: 64 give it as much, for a third of the time. */
const THUMBNAIL_SIDE = 64;

export const createMeasure = ({
  decodesAtOnce = 2,
  maxPixels = 100_000_000,
}: {
  /** @default 2 */
  decodesAtOnce?: number | undefined;
  /** A file whose header claims more is refused before it is decoded. @default 100_000_000 */
  maxPixels?: number | undefined;
} = {}): Measure => {
  const places = createPlaces(decodesAtOnce);

  /** The thumbhash, from all of the picture's pixels. */
  const decode = async (path: string): Promise<string> => {
    // `error` catches every cut and every wrong checksum; `warning` would refuse sound pixels for odd metadata.
    // PNG can't be shrunk while loading, so the thumbnail asks for every row, and is the proof of the decode.
    const { data, info } = await sharp(path, {
      failOn: 'error',
      limitInputPixels: maxPixels,
      sequentialRead: true,
    })
      .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return Buffer.from(rgbaToThumbHash(info.width, info.height, data)).toString('base64');
  };

  return async function measure(path) {
    // Looked at by us first: libvips opens whatever it knows, and says the same of a file that it may not read.
    const size = await onDisk('read the staged picture', () => readSize(path));
    if (size === undefined) throw new InvalidPictureError("The provider's picture is no PNG.");
    const thumbhash = await places.run(async () => {
      try {
        return await decode(path);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const firstLine = reason.replaceAll(path, 'it').split('\n')[0];
        throw new InvalidPictureError(`The provider's picture does not decode: ${firstLine}.`);
      }
    });
    return { ...size, thumbhash };
  };
};

/** From the page cache, where the file was just written to: quicker than a trip to the thread pool. */
const readSize = (path: string): { width: number; height: number } | undefined => {
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(PNG_SIZE_BYTE_SIZE);
    return readPngSize(header.subarray(0, readSync(file, header, 0, PNG_SIZE_BYTE_SIZE, 0)));
  } finally {
    closeSync(file);
  }
};

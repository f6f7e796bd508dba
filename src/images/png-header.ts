const MIB = 1024 * 1024;

export interface PngLimits {
  /** Largest width, and largest height, in pixels. @default 16384 */
  readonly maxSide?: number | undefined;
  /** Largest width × height. @default 100_000_000 */
  readonly maxPixels?: number | undefined;
}

const DEFAULT_LIMITS = { maxSide: 16_384, maxPixels: 100_000_000 };

/**
 * An interlaced picture can't be decoded row by row: all of it lies in memory at once. 128 MiB is 5,792 × 5,792
 * pixels of 8-bit RGBA.
 */
const MAX_INTERLACED_BYTE_SIZE = 128 * MIB;

/** Bit depths by colour type: https://www.w3.org/TR/png-3/#table111 */
const BIT_DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

export const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** How many bytes `readPngSize` needs: the signature, and of the first chunk its length, name and first numbers. */
export const PNG_SIZE_BYTE_SIZE = 24;

/**
 * The width and height in pixels that the first bytes of a PNG claim; undefined where they are no PNG's. A decoder
 * takes them from the same place, so of a picture that decoded they are true. (sharp's `metadata()` would say them
 * too, and copy every text of the file into memory several times on the way.)
 */
export const readPngSize = (bytes: Buffer): { width: number; height: number } | undefined => {
  if (bytes.length < PNG_SIZE_BYTE_SIZE || !bytes.subarray(0, 8).equals(PNG_SIGNATURE)) return undefined;
  if (bytes.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
};

/** Length of an IHDR chunk's data, in bytes. */
export const PNG_HEADER_BYTE_SIZE = 13;

/**
 * Says what is wrong with the data of an IHDR chunk, or undefined. Its pixels are a claim that no decoder should be
 * asked to believe: an absurd one is refused here, before anything is allocated for it.
 */
export const findHeaderFault = (header: Buffer, limits: PngLimits = {}): string | undefined => {
  const maxSide = limits.maxSide ?? DEFAULT_LIMITS.maxSide;
  const maxPixels = limits.maxPixels ?? DEFAULT_LIMITS.maxPixels;
  const width = header.readUInt32BE(0);
  const height = header.readUInt32BE(4);
  const [bitDepth = 0, colourType = 0, compression = 0, filter = 0, interlace = 0] = header.subarray(8);

  if (width < 1 || height < 1) return `its header claims ${width} × ${height} pixels`;
  if (width > maxSide || height > maxSide || width * height > maxPixels) {
    return `its header claims ${width} × ${height} pixels; the limit is ${maxSide} a side and ${maxPixels} in all`;
  }
  if (BIT_DEPTHS[colourType]?.includes(bitDepth) !== true) {
    return `its header claims colour type ${colourType} with a bit depth of ${bitDepth}`;
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    return `its header claims compression ${compression}, filter ${filter}, interlace ${interlace}`;
  }
  // Decoders expand palettes and greys, so four channels are reckoned with.
  if (interlace === 1 && width * height * 4 * (bitDepth === 16 ? 2 : 1) > MAX_INTERLACED_BYTE_SIZE) {
    return `it is interlaced, and ${width} × ${height} pixels are too many to decode in one piece`;
  }
  return undefined;
};

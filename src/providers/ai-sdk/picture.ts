import { createPlaces } from '../../images/places.ts';
import { PNG_SIZE_BYTE_SIZE, readPngSize } from '../../images/png-header.ts';
import { sharp } from '../../images/vips.ts';
import { createBase64Decoder, PIECE_BYTES, PIECE_CHARACTERS } from '../openai-wire/base64.ts';

/** A picture as Gesso keeps them, and what had to be done to it. */
export interface ReadyPicture {
  readonly bytes: Uint8Array;
  /** In pixels; undefined where the bytes are no picture that we know, which is the pipeline's to say. */
  readonly dimensions: { readonly width: number; readonly height: number } | undefined;
  readonly warnings: readonly string[];
}

/** What is decoded and encoded anew, by its first bytes. Only formats of one still picture made of pixels. */
const CONVERTED: readonly { type: string; matches: (head: Buffer) => boolean }[] = [
  { type: 'image/jpeg', matches: (head) => head.toString('hex', 0, 3) === 'ffd8ff' },
  { type: 'image/webp', matches: (head) => /^RIFF[\s\S]{4}WEBP/.test(head.toString('latin1')) },
  { type: 'image/gif', matches: (head) => /^GIF8[79]a/.test(head.toString('latin1')) },
  { type: 'image/avif', matches: (head) => /^[\s\S]{4}ftypavi[fs]/.test(head.toString('latin1')) },
];
const HEAD_BYTES = 12;
/** As `images/` bounds what it decodes. */
const MAX_PIXELS = 100_000_000;

/** One at a time: each holds a thread of the pool that files need too, and up to 400 MB. */
const conversions = createPlaces(1);

/**
 * A PNG stays as it is, byte for byte. Of another format the decoded pixels are encoded as PNG, so that a picture that is
 * paid is not lost for its format; a note to turn it is obeyed, its colour profile kept, of several frames the first
 * taken. What does not decode is handed on as it came: the pipeline refuses it, and keeps it for the operator.
 */
export async function toPng(bytes: Uint8Array): Promise<ReadyPicture> {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  const format = CONVERTED.find(({ matches }) => matches(head));
  if (format === undefined) {
    const dimensions = readPngSize(Buffer.from(bytes.subarray(0, PNG_SIZE_BYTE_SIZE)));
    return { bytes, dimensions, warnings: [] };
  }
  return conversions.run(async () => {
    try {
      const options = { failOn: 'error', limitInputPixels: MAX_PIXELS, sequentialRead: true } as const;
      const { pages = 1 } = await sharp(bytes, options).metadata();
      const { data, info } = await sharp(bytes, options)
        .autoOrient()
        .keepIccProfile()
        .png()
        .toBuffer({ resolveWithObject: true });
      const frames = pages > 1 ? `, the first of ${pages} frames` : '';
      const warnings = [`The picture came as ${format.type}, and was converted to PNG${frames}.`];
      return { bytes: data, dimensions: { width: info.width, height: info.height }, warnings };
    } catch {
      return { bytes, dimensions: undefined, warnings: [`The picture came as broken ${format.type}.`] };
    }
  });
}

/**
 * The bytes of a picture as the AI SDK hands it over: as they are, or as base64, also in a `data:` URL.
 *
 * @throws {BodyError} `BASE64_INVALID`
 */
export function bytesOf(image: string | Uint8Array): Uint8Array {
  if (typeof image !== 'string') return image;
  const text = image.slice(image.startsWith('data:') ? image.indexOf(',') + 1 : 0);
  const target = Buffer.allocUnsafeSlow(Math.ceil((text.length / 4) * 3) + PIECE_BYTES);
  const decoder = createBase64Decoder();
  let byteSize = 0;
  for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
    const piece = Buffer.from(text.slice(at, at + PIECE_CHARACTERS), 'latin1');
    byteSize += decoder.decode(piece, target, byteSize);
  }
  byteSize += decoder.end(target, byteSize);
  return target.subarray(0, byteSize);
}

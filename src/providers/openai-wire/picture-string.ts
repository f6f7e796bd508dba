import { createBase64Decoder, PIECE_CHARACTERS } from './base64.ts';
import type { Block } from './block.ts';
import { BodyError } from './body-error.ts';
import { BACKSLASH, createUnescaper, QUOTE } from './json-string.ts';

/** No `data:…;base64,` is longer. */
const PREFIX_CHARACTERS = 256;
const COMMA = 0x2c;

export interface PictureString {
  /**
   * Reads at most one piece of the JSON string's raw bytes, decodes it into a block that is not full, and
   * returns the index of the first byte not read.
   *
   * @throws {BodyError} `BASE64_INVALID`, `BODY_MALFORMED` or `BODY_TOO_LARGE`
   */
  read(chunk: Buffer, from: number, block: Block): number;
  /** Whether the closing quote was read. */
  closed(): boolean;
  /** Size of what was decoded, in bytes. */
  byteSize(): number;
}

/** A picture as the value of a JSON string: escapes, then a data URL's prefix perhaps, then base64. */
export const createPictureString = ({ maxBytes }: { maxBytes: number }): PictureString => {
  const base64 = createBase64Decoder();
  const unescaper = createUnescaper();
  const prefix = Buffer.alloc(PREFIX_CHARACTERS);
  let prefixLength = 0;
  let prefixDone = false;
  let scratch: Buffer | undefined;
  let closed = false;
  let byteSize = 0;

  const add = (written: number, block: Block) => {
    block.length += written;
    byteSize += written;
    if (byteSize > maxBytes) throw new BodyError('BODY_TOO_LARGE');
  };
  const decode = (text: Buffer, block: Block) => {
    add(base64.decode(text, block.bytes, block.length), block);
  };
  const close = (block: Block) => {
    add(base64.end(block.bytes, block.length), block);
    closed = true;
  };

  const readPrefix = (chunk: Buffer, from: number, block: Block): number => {
    const read = unescaper.unescape(chunk, from, chunk.length, prefix, prefixLength);
    prefixLength = read.length;
    if (read.closed || prefixLength === PREFIX_CHARACTERS) {
      prefixDone = true;
      decode(withoutDataUrl(prefix.subarray(0, prefixLength)), block);
    }
    if (read.closed) close(block);
    return read.at;
  };

  const readEscaped = (chunk: Buffer, from: number, to: number, block: Block): number => {
    scratch ??= Buffer.allocUnsafeSlow(PIECE_CHARACTERS);
    const read = unescaper.unescape(chunk, from, to, scratch, 0);
    decode(scratch.subarray(0, read.length), block);
    if (read.closed) close(block);
    return read.at;
  };

  return {
    closed: () => closed,
    byteSize: () => byteSize,
    read(chunk, from, block) {
      if (!prefixDone) return readPrefix(chunk, from, block);
      const piece = chunk.subarray(from, from + PIECE_CHARACTERS);
      const quote = piece.indexOf(QUOTE);
      const text = quote === -1 ? piece : piece.subarray(0, quote);
      if (unescaper.inEscape() || text.includes(BACKSLASH)) {
        return readEscaped(chunk, from, from + piece.length, block);
      }
      decode(text, block);
      if (quote === -1) return from + piece.length;
      close(block);
      return from + quote + 1;
    },
  };
};

/** The vendor's own sample cuts at the first comma when `base64` stands before it; so do we. */
const withoutDataUrl = (text: Buffer): Buffer => {
  const comma = text.indexOf(COMMA);
  return comma !== -1 && text.subarray(0, comma).includes('base64') ? text.subarray(comma + 1) : text;
};

import { BodyError } from './body-error.ts';

/** The longest text to be decoded at once. Beyond it Node's decoder is ten times slower. */
export const PIECE_CHARACTERS = 64 * 1024;
/** What a piece can decode to, with the characters carried over from the one before. */
export const PIECE_BYTES = (PIECE_CHARACTERS / 4) * 3 + 3;

const SEXTET = 0;
const SPACE = 1;
const ILLEGAL = 2;
const PADDING = 0x3d;

/** What each byte is in base64; both alphabets of RFC 4648, since Node decodes both. */
const KINDS = (() => {
  const kinds = new Uint8Array(256).fill(ILLEGAL);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_';
  for (const character of alphabet) kinds[character.charCodeAt(0)] = SEXTET;
  for (const character of ' \t\r\n\f') kinds[character.charCodeAt(0)] = SPACE;
  return kinds;
})();

export interface Base64Decoder {
  /**
   * Decodes the next piece, at most `PIECE_CHARACTERS` long, into `target` from `at`. Tolerates white space.
   * Returns how many bytes it wrote: at most `PIECE_BYTES`.
   *
   * @throws {BodyError} `BASE64_INVALID`
   */
  decode(text: Buffer, target: Buffer, at: number): number;
  /** Writes what the last characters stand for (at most 2 bytes). Padding may be missing, but not be wrong. */
  end(target: Buffer, at: number): number;
}

/** A decoder for text that comes in pieces of any length: the odd characters are carried to the next. */
export const createBase64Decoder = (): Base64Decoder => {
  const carry = Buffer.alloc(4);
  let carried = 0;
  let padding = 0;
  let scratch: Buffer | undefined;

  /** Decodes sextets only. Anything else in the text: undefined, and nothing has changed. */
  const decodePlain = (text: Buffer, target: Buffer, at: number): number | undefined => {
    const odd = (carried + text.length) % 4;
    const complete = carried + text.length >= 4;
    const head = complete && carried > 0 ? 4 - carried : 0;
    const tail = complete ? text.length - odd : 0;
    if (!isPlain(text, 0, head) || !isPlain(text, tail, text.length)) return undefined;

    const headBytes = head > 0 ? 3 : 0;
    const bodyBytes = ((tail - head) / 4) * 3;
    // Node skips what is not base64, without a word: it shows in the count.
    if (
      bodyBytes > 0 &&
      target.write(text.toString('latin1', head, tail), at + headBytes, 'base64') !== bodyBytes
    ) {
      return undefined;
    }
    if (head > 0) {
      text.copy(carry, carried, 0, head);
      target.write(carry.toString('latin1', 0, 4), at, 'base64');
      carried = 0;
    }
    carried += text.copy(carry, carried, tail);
    return headBytes + bodyBytes;
  };

  /** Takes white space and padding out, one character at a time. */
  const decodeSlowly = (text: Buffer, target: Buffer, targetAt: number): number => {
    scratch ??= Buffer.allocUnsafeSlow(PIECE_CHARACTERS);
    let length = 0;
    for (let at = 0; at < text.length; at += 1) {
      const byte = text[at] ?? 0;
      const kind = KINDS[byte];
      if (kind === SEXTET && padding === 0) scratch[length++] = byte;
      else if (byte === PADDING) padding += 1;
      else if (kind !== SPACE) throw new BodyError('BASE64_INVALID');
    }
    const written = decodePlain(scratch.subarray(0, length), target, targetAt);
    if (written === undefined) throw new BodyError('BASE64_INVALID');
    return written;
  };

  return {
    decode(text, target, at) {
      // Padding is taken off first, so that a picture's last piece needs no slow pass.
      let end = text.length;
      while (end > 0 && end > text.length - 2 && text[end - 1] === PADDING) end -= 1;
      const plain = text.subarray(0, end);
      const written = padding > 0 && end > 0 ? undefined : decodePlain(plain, target, at);
      if (written === undefined) return decodeSlowly(text, target, at);
      padding += text.length - end;
      return written;
    },

    end(target, at) {
      const padded = padding === 0 || (padding <= 2 && carried + padding === 4);
      if (carried === 1 || !padded) throw new BodyError('BASE64_INVALID');
      return carried === 0 ? 0 : target.write(carry.toString('latin1', 0, carried), at, 'base64');
    },
  };
};

const isPlain = (text: Buffer, from: number, to: number): boolean => {
  for (let at = from; at < to; at += 1) if (KINDS[text[at] ?? 0] !== SEXTET) return false;
  return true;
};

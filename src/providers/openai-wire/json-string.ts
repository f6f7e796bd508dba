import { BodyError } from './body-error.ts';

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;

/**
 * Finds the quote that closes a JSON string in raw bytes. The returned function gives its index, or -1 where the
 * chunk ends first, and remembers across chunks whether the last byte escapes the next.
 */
export const createStringEnd = (): ((chunk: Buffer, from: number) => number) => {
  let escaped = false;
  return function findStringEnd(chunk, from) {
    let at = from;
    if (escaped && at < chunk.length) {
      at += 1;
      escaped = false;
    }
    while (at < chunk.length) {
      const quote = chunk.indexOf(QUOTE, at);
      const end = quote === -1 ? chunk.length : quote;
      let slash = end;
      while (slash > at && chunk[slash - 1] === BACKSLASH) slash -= 1;
      const odd = (end - slash) % 2 === 1;
      if (quote === -1) {
        escaped = odd;
        return -1;
      }
      if (!odd) return quote;
      at = quote + 1;
    }
    return -1;
  };
};

/** What `\b`, `\n`, `\/` and the like stand for. */
const SIMPLE_ESCAPES = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, character]) => [letter.charCodeAt(0), character.charCodeAt(0)],
  ),
);
const LETTER_U = 0x75;
/** Stands for every character outside ASCII; base64 has none. */
const NOT_ASCII = 0xff;

export interface Unescaped {
  /** Index of the first byte not read. */
  at: number;
  /** Bytes in the target. */
  length: number;
  /** The closing quote was read. */
  closed: boolean;
}

/** Resolves the escapes of a JSON string that should be ASCII, byte by byte, across chunks. */
export const createUnescaper = () => {
  /** 0 outside an escape, 1 after the backslash, 2 to 5 while four hex digits are due. */
  let step = 0;
  let codePoint = 0;

  /** @throws {BodyError} `BODY_MALFORMED` on an escape that JSON does not know. */
  const readEscape = (byte: number): number | undefined => {
    if (step === 1) {
      if (byte === LETTER_U) {
        step = 2;
        codePoint = 0;
        return undefined;
      }
      const character = SIMPLE_ESCAPES.get(byte);
      if (character === undefined) throw new BodyError('BODY_MALFORMED');
      step = 0;
      return character;
    }
    const digit = Number.parseInt(String.fromCharCode(byte), 16);
    if (Number.isNaN(digit)) throw new BodyError('BODY_MALFORMED');
    codePoint = codePoint * 16 + digit;
    step += 1;
    if (step < 6) return undefined;
    step = 0;
    return codePoint > 0x7f ? NOT_ASCII : codePoint;
  };

  return {
    /** Whether the last chunk ended within an escape. */
    inEscape: () => step !== 0,

    /** Copies what the bytes `from` to `to` stand for; stops early at the closing quote or when `target` is full. */
    unescape(chunk: Buffer, from: number, to: number, target: Buffer, targetAt: number): Unescaped {
      let at = from;
      let length = targetAt;
      while (at < to && length < target.length) {
        const byte = chunk[at] ?? 0;
        if (step !== 0) {
          const character = readEscape(byte);
          if (character !== undefined) target[length++] = character;
        } else if (byte === BACKSLASH) {
          step = 1;
        } else if (byte === QUOTE) {
          return { at: at + 1, length, closed: true };
        } else {
          const run = copyPlain(chunk, at, Math.min(to, at + target.length - length), target, length);
          at += run;
          length += run;
          continue;
        }
        at += 1;
      }
      return { at, length, closed: false };
    },
  };
};

/** Copies up to the next quote or backslash, and returns how much. Byte by byte: such runs are short. */
const copyPlain = (chunk: Buffer, from: number, to: number, target: Buffer, targetAt: number): number => {
  let at = from;
  for (; at < to; at += 1) {
    const byte = chunk[at] ?? 0;
    if (byte === BACKSLASH || byte === QUOTE) break;
    target[targetAt + at - from] = byte;
  }
  return at - from;
};

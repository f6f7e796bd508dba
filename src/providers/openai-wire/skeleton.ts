import { BodyError } from './body-error.ts';

const SPACE = 0x20;

/** What is left of a JSON document when its pictures are cut out: copied bytes, bounded. */
export const createSkeleton = ({ maxBytes }: { maxBytes: number }) => {
  let bytes = Buffer.allocUnsafe(512);
  let length = 0;

  const makeRoom = (more: number) => {
    if (length + more > maxBytes) throw new BodyError('BODY_TOO_LARGE');
    if (length + more <= bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(length + more, bytes.length * 2));
    bytes.copy(larger, 0, 0, length);
    bytes = larger;
  };

  return {
    byteSize: () => length,
    push(chunk: Buffer, from: number, to: number) {
      makeRoom(to - from);
      length += chunk.copy(bytes, length, from, to);
    },
    pushByte(byte: number) {
      makeRoom(1);
      bytes[length++] = byte;
    },
    /** A run of white space between tokens becomes one space, however long a peer keeps the line warm with it. */
    pushSpace() {
      if (length > 0 && bytes[length - 1] !== SPACE) this.pushByte(SPACE);
    },
    /** The bytes `from` to `to`, as UTF-8; a byte order mark at the start is dropped. */
    text: (from = 0, to = length): string => new TextDecoder().decode(bytes.subarray(from, to)),
  };
};

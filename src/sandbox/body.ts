/** The bytes of an answer, made while they are sent, so that no large body is ever held as a whole. */
export interface Body {
  readonly byteSize: number;
  chunks(): Iterable<Uint8Array>;
}

export const textBody = (text: string): Body => bytesBody(Buffer.from(text));

export const bytesBody = (bytes: Uint8Array): Body => ({
  byteSize: bytes.byteLength,
  chunks: () => (bytes.byteLength === 0 ? [] : [bytes]),
});

/** One body after the other. */
export const joined = (...bodies: readonly Body[]): Body => ({
  byteSize: bodies.reduce((sum, body) => sum + body.byteSize, 0),
  *chunks() {
    for (const body of bodies) yield* body.chunks();
  },
});

/** Makes 64 KiB of base64 at a time: larger slices are many times slower to encode. */
const SLICE_BYTES = 48 * 1024;

/** Bytes as base64. */
export const base64Body = (bytes: Buffer): Body => ({
  byteSize: Math.ceil(bytes.byteLength / 3) * 4,
  *chunks() {
    for (let offset = 0; offset < bytes.byteLength; offset += SLICE_BYTES) {
      yield Buffer.from(bytes.toString('base64', offset, offset + SLICE_BYTES), 'latin1');
    }
  },
});

/** One block again and again, `byteSize` bytes in all. */
export const repeated = (block: Uint8Array, byteSize: number): Body => ({
  byteSize,
  *chunks() {
    for (let left = byteSize; left > 0; left -= block.byteLength) yield block.subarray(0, left);
  },
});

/** The first `byteSize` bytes of a body. */
export const firstOf = (body: Body, byteSize: number): Body => ({
  byteSize: Math.min(byteSize, body.byteSize),
  *chunks() {
    let left = byteSize;
    for (const chunk of body.chunks()) {
      if (left <= 0) return;
      yield chunk.subarray(0, left);
      left -= chunk.byteLength;
    }
  },
});

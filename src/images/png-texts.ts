import { inflateSync } from 'node:zlib';

/** Chunks that decoders keep in memory, several times over; frames of an animation are not among them. */
const KEPT_CHUNKS = new Set(['tEXt', 'zTXt', 'iTXt', 'iCCP', 'eXIf']);
const MAX_KEPT_BYTE_SIZE = 16 * 1024 * 1024;

/** Those of them that may be compressed. */
const COMPRESSED_CHUNKS = new Set(['zTXt', 'iTXt', 'iCCP']);
const MAX_INFLATED_BYTE_SIZE = 4 * 1024 * 1024;

/** What a text costs that can't be inflated: there may be only so many, or trying would take for ever. */
const BROKEN_TEXT_BYTE_SIZE = 1024 * 1024;

/** Watches over what the texts and profiles of one PNG would make a decoder keep. */
export interface PngTexts {
  /** Announces a chunk; says what is wrong, as the end of a sentence, or undefined. */
  begin(type: string, byteSize: number): string | undefined;
  /** Takes a piece of the chunk's data; nothing of it is needed afterwards. */
  add(piece: Uint8Array): void;
  /** Ends the chunk; says what is wrong or undefined. */
  end(): string | undefined;
}

/**
 * libpng lets each compressed text grow to 8 MB and keeps a thousand of them: measured, a file of 1.5 MB with 200
 * made sharp take 2 GB and 6 seconds. So they are inflated here first, up to a limit that is for all together.
 */
export const createPngTexts = (): PngTexts => {
  let type = '';
  let pieces: Buffer[] = [];
  let keptByteSize = 0;
  let inflatedByteSize = 0;

  return {
    begin(nextType, byteSize) {
      type = nextType;
      pieces = [];
      if (KEPT_CHUNKS.has(type)) keptByteSize += byteSize;
      if (keptByteSize > MAX_KEPT_BYTE_SIZE)
        return `it has more than ${MAX_KEPT_BYTE_SIZE} bytes of metadata`;
      if (COMPRESSED_CHUNKS.has(type) && byteSize > MAX_INFLATED_BYTE_SIZE)
        return `chunk ${type} is too long`;
      return undefined;
    },
    add(piece) {
      if (COMPRESSED_CHUNKS.has(type)) pieces.push(Buffer.from(piece));
    },
    end() {
      if (!COMPRESSED_CHUNKS.has(type)) return undefined;
      const compressed = compressedPartOf(type, Buffer.concat(pieces));
      pieces = [];
      if (compressed !== undefined) {
        inflatedByteSize += sizeInflated(compressed, MAX_INFLATED_BYTE_SIZE - inflatedByteSize);
      }
      if (inflatedByteSize <= MAX_INFLATED_BYTE_SIZE) return undefined;
      return `its compressed texts are larger than ${MAX_INFLATED_BYTE_SIZE} bytes`;
    },
  };
};

/**
 * The zlib stream in the chunk: behind a name, its zero and a method byte (zTXt and iCCP), or behind two more texts
 * (iTXt, https://www.w3.org/TR/png-3/#11iTXt). Undefined for an iTXt that is not compressed.
 */
const compressedPartOf = (type: string, data: Buffer): Buffer | undefined => {
  const afterName = data.indexOf(0) + 1;
  if (type !== 'iTXt') return data.subarray(afterName + 1);
  if (data[afterName] === 0) return undefined;
  const afterLanguage = data.indexOf(0, afterName + 2) + 1;
  return data.subarray(data.indexOf(0, afterLanguage) + 1);
};

/** How large the stream is inflated, or one byte more than the limit if it is larger than that. */
const sizeInflated = (compressed: Buffer, limit: number): number => {
  try {
    return inflateSync(compressed, { maxOutputLength: Math.max(1, limit), chunkSize: 64 * 1024 }).length;
  } catch (error) {
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return isTooLarge ? limit + 1 : BROKEN_TEXT_BYTE_SIZE;
  }
};

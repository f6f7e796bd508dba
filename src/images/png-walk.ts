import { crc32 } from 'node:zlib';
import { findHeaderFault, PNG_HEADER_BYTE_SIZE, PNG_SIGNATURE, type PngLimits } from './png-header.ts';
import { createPngTexts } from './png-texts.ts';

const MAX_CHUNK_BYTE_SIZE = 2 ** 31 - 1;

/** Checks a PNG's structure as its blocks pass by; keeps none of them. */
export interface PngWalk {
  write(block: Uint8Array): void;
  /** True from the last byte of a whole PNG on, as long as nothing follows it. */
  readonly complete: boolean;
  /** Why what came so far is no whole PNG, as the end of a sentence; undefined when it is one. */
  readonly fault: string | undefined;
}

/**
 * Walks through a PNG's chunks (https://www.w3.org/TR/png-3/#5DataRep): the signature, IHDR first and within limits,
 * at least one IDAT, every checksum right, IEND last and nothing behind it. Its texts may not inflate to more than a few
 * megabytes. Whether the pixels decode is not its business.
 */
export const createPngWalk = (limits: PngLimits = {}): PngWalk => {
  let awaiting: 'signature' | 'chunk' | 'data' | 'checksum' | 'nothing' = 'signature';
  let fault: string | undefined;
  let type = '';
  let remaining = 0;
  let checksum = 0;
  let sawPixels = false;
  const texts = createPngTexts();
  const header = Buffer.alloc(PNG_HEADER_BYTE_SIZE);
  // The few bytes that are read as a unit, and may be split over blocks.
  const unit = Buffer.alloc(8);
  let collected = 0;

  const beginChunk = (): string | undefined => {
    const isFirst = type === '';
    remaining = unit.readUInt32BE(0);
    type = unit.toString('latin1', 4, 8);
    checksum = crc32(unit.subarray(4, 8));
    awaiting = remaining > 0 ? 'data' : 'checksum';
    if (!/^[A-Za-z]{4}$/.test(type)) return 'a chunk has an impossible name';
    if (remaining > MAX_CHUNK_BYTE_SIZE) return `chunk ${type} has an impossible length`;
    if (isFirst !== (type === 'IHDR')) return 'IHDR is not its first chunk, or not the only one of its name';
    if (isFirst && remaining !== PNG_HEADER_BYTE_SIZE) return 'chunk IHDR has the wrong length';
    if (type === 'IEND' && remaining !== 0) return 'chunk IEND has the wrong length';
    if (type === 'IEND' && !sawPixels) return 'it has no IDAT chunk';
    if (type === 'IDAT') sawPixels = true;
    return texts.begin(type, remaining);
  };

  const endChunk = (): string | undefined => {
    if (unit.readUInt32BE(0) !== checksum) return `the checksum of chunk ${type} is wrong`;
    awaiting = type === 'IEND' ? 'nothing' : 'chunk';
    return type === 'IHDR' ? findHeaderFault(header, limits) : texts.end();
  };

  const readUnit = (): string | undefined => {
    if (awaiting === 'chunk') return beginChunk();
    if (awaiting === 'checksum') return endChunk();
    awaiting = 'chunk';
    return unit.equals(PNG_SIGNATURE) ? undefined : 'they do not begin with the signature of a PNG';
  };

  const write = (block: Uint8Array): void => {
    let at = 0;
    while (at < block.length && fault === undefined) {
      if (awaiting === 'nothing') {
        fault = 'more bytes follow its end';
      } else if (awaiting === 'data') {
        const piece = block.subarray(at, at + remaining);
        checksum = crc32(piece, checksum);
        if (type === 'IHDR') header.set(piece, PNG_HEADER_BYTE_SIZE - remaining);
        texts.add(piece);
        remaining -= piece.length;
        at += piece.length;
        if (remaining === 0) awaiting = 'checksum';
      } else {
        const length = awaiting === 'checksum' ? 4 : 8;
        const piece = block.subarray(at, at + length - collected);
        unit.set(piece, collected);
        collected += piece.length;
        at += piece.length;
        if (collected < length) return;
        collected = 0;
        fault = readUnit();
      }
    }
  };

  return {
    write,
    get complete() {
      return fault === undefined && awaiting === 'nothing';
    },
    get fault() {
      if (fault !== undefined || awaiting === 'nothing') return fault;
      if (awaiting === 'signature') return 'they do not begin with the signature of a PNG';
      return 'it is cut off before its end';
    },
  };
};

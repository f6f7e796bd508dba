import { createHash } from 'node:crypto';
import type { PngLimits } from './png-header.ts';
import { createPngWalk } from './png-walk.ts';

export interface InspectionResult {
  readonly byteSize: number;
  /** SHA-256 of all bytes, lowercase hex. */
  readonly sha256: string;
  /** Why the bytes are no whole PNG, as the end of a sentence; undefined when they are one. */
  readonly fault: string | undefined;
}

/**
 * What a picture's bytes are asked while they pass: how many, which hash, and whether they make a PNG. The work is
 * done on the calling thread; `finish` is a promise so that a worker thread could do it instead.
 */
export interface Inspection {
  add(block: Uint8Array): void;
  /** Bytes added so far. */
  readonly byteSize: number;
  /** Whether what was added so far is a whole PNG. */
  readonly complete: boolean;
  /** To be called once, after the last block. */
  finish(): Promise<InspectionResult>;
}

export const createInspection = (limits: PngLimits = {}): Inspection => {
  const hash = createHash('sha256');
  const walk = createPngWalk(limits);
  let byteSize = 0;
  return {
    add(block) {
      byteSize += block.length;
      hash.update(block);
      walk.write(block);
    },
    get byteSize() {
      return byteSize;
    },
    get complete() {
      return walk.complete;
    },
    async finish() {
      return { byteSize, sha256: hash.digest('hex'), fault: walk.fault };
    },
  };
};

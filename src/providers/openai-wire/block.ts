import { PIECE_BYTES } from './base64.ts';

/** From here on a block is handed to the reader. */
const FULL_BYTES = 192 * 1024;
/** A block that is not full takes one more piece whole. */
const BLOCK_BYTES = FULL_BYTES + PIECE_BYTES;

/** Memory for a part of a picture, filled and emptied again and again. */
export interface Block {
  bytes: Buffer;
  /** How much of it is filled, in bytes. */
  length: number;
}

/** Whether the block must be emptied before another piece is decoded into it. */
export const isFull = (block: Block): boolean => block.length >= FULL_BYTES;

/** Makes the block ready to be filled again, also when the reader has transferred its memory to a worker. */
export const refresh = (block: Block): void => {
  block.length = 0;
  if (block.bytes.length === 0) block.bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
};

/** Blocks for the pictures that are read at the same time; up to `spare` wait for the next one. */
export const createBlockPool = ({ spare = 16 } = {}) => {
  const free: Block[] = [];
  return {
    take: (): Block => free.pop() ?? { bytes: Buffer.allocUnsafeSlow(BLOCK_BYTES), length: 0 },
    giveBack(block: Block) {
      refresh(block);
      if (free.length < spare) free.push(block);
    },
  };
};
export type BlockPool = ReturnType<typeof createBlockPool>;

import { createHash } from 'node:crypto';

/** Numbers that look random and are the same for the same text on every machine. */
export interface Random {
  /** At least `low`, below `high`. */
  between(low: number, high: number): number;
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number;
  pick<T>(choices: readonly [T, ...T[]]): T;
  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean;
}

/** Two uses of one text that must not hang together are told apart by `purpose`. */
export function randomFrom(text: string, purpose: string): Random {
  const hash = createHash('sha256').update(purpose).update('\0').update(text).digest();
  const next = sfc32(hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8), hash.readUInt32LE(12));
  const between = (low: number, high: number): number => low + (next() / 2 ** 32) * (high - low);
  return {
    between,
    whole: (low, high) => Math.floor(between(low, high + 1)),
    pick: (choices) => choices[Math.floor(between(0, choices.length))] ?? choices[0],
    chance: (probability) => between(0, 1) < probability,
  };
}

/** The `sfc32` generator of PractRand, by Chris Doty-Humphrey: small, fast, and good enough to paint with. */
export function sfc32(a: number, b: number, c: number, counter: number): () => number {
  return function nextUint32() {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
}

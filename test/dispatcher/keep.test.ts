import { describe, expect, it } from 'vitest';
import { type KeepOptions, keep } from '../../src/dispatcher/keep.ts';
import { HandoverError, InvalidPictureError, StorageError } from '../../src/errors.ts';
import { blobKeyOf } from '../../src/images/blob-key.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import { makeDelivered, NOON } from '../../src/testing/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';

const { staged } = makeDelivered();
const IN_A_MINUTE = new Date(NOON.getTime() + 60_000);

/** Keeps a picture with a store that takes it, or not. */
function createBench(
  putFile: BlobStore['putFile'],
  { measure = async () => ({ width: 64, height: 48, thumbhash: 'aGFzaA==' }) }: Partial<KeepOptions> = {},
) {
  const clock = createManualClock({ hurried: true });
  const puts: [key: string, path: string][] = [];
  const keptAside: string[] = [];
  const retries: unknown[] = [];
  const store = {
    putFile(key: string, path: string, options: { contentType: string }) {
      puts.push([key, path]);
      return putFile(key, path, options);
    },
  } as BlobStore;
  return {
    clock,
    puts,
    keptAside,
    retries,
    keep: (signal = new AbortController().signal, deadlineAt = IN_A_MINUTE) =>
      keep(staged, deadlineAt, signal, {
        measure,
        store,
        clock,
        onRetry: (error) => void retries.push(error),
        async keepAside(attemptId) {
          keptAside.push(attemptId);
          return `/rejected/${attemptId}`;
        },
      }),
  };
}

describe('keep', () => {
  it('stores the staged file under its attempt, and tells what was measured', async () => {
    const { keep, puts } = createBench(async () => {});
    const blobKey = blobKeyOf(staged.attemptId);
    const { byteSize, sha256, revisedPrompt } = staged;
    const measured = { width: 64, height: 48, thumbhash: 'aGFzaA==' };
    expect(await keep()).toEqual({ blobKey, ...measured, byteSize, sha256, revisedPrompt });
    expect(puts).toEqual([[blobKey, staged.path]]);
  });

  it('keeps aside what does not decode, and stores none of it', async () => {
    const measure = () => Promise.reject(new InvalidPictureError('does not inflate'));
    const { keep, puts, keptAside } = createBench(async () => {}, { measure });
    const kept = keep();
    await expect(kept).rejects.toThrow(InvalidPictureError);
    await expect(kept).rejects.toMatchObject({
      message: 'does not inflate',
      keptAt: `/rejected/${staged.attemptId}`,
    });
    expect(keptAside).toEqual([staged.attemptId]);
    expect(puts).toEqual([]);
  });

  it('leaves a picture where it is when measuring broke down for another reason', async () => {
    const bug = new TypeError('a bug');
    const { keep, keptAside } = createBench(async () => {}, { measure: () => Promise.reject(bug) });
    await expect(keep()).rejects.toBe(bug);
    expect(keptAside).toEqual([]);
  });
});

describe('keep: a store that fails', () => {
  const full = new StorageError('the disk is full');

  it('is tried again, ever more slowly, until it takes the picture', async () => {
    let left = 7;
    const { keep, clock, retries, keptAside } = createBench(async () => {
      left -= 1;
      if (left > 0) throw full;
    });
    await expect(keep()).resolves.toBeDefined();
    expect(clock.waitsMs).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000]);
    expect(retries).toHaveLength(6);
    expect(keptAside).toEqual([]);
  });

  it('is tried until the deadline and not beyond; then the bytes are kept aside', async () => {
    const { keep, clock, keptAside } = createBench(() => Promise.reject(full));
    await expect(keep()).rejects.toBe(full);
    expect(clock.now().getTime()).toBeLessThan(IN_A_MINUTE.getTime());
    expect(clock.now().getTime()).toBeGreaterThan(IN_A_MINUTE.getTime() - 10_000);
    expect(keptAside).toEqual([staged.attemptId]);
  });

  it('is tried once even where the deadline has passed: the picture is paid for', async () => {
    const { keep } = createBench(async () => {});
    await expect(keep(undefined, NOON)).resolves.toBeDefined();
    const failing = createBench(() => Promise.reject(full));
    await expect(failing.keep(undefined, NOON)).rejects.toBe(full);
    expect(failing.puts).toHaveLength(1);
    expect(failing.keptAside).toEqual([staged.attemptId]);
  });

  it('is left to the next start once the time to drain is over: the picture stays staged', async () => {
    const { keep, puts, keptAside } = createBench(() => Promise.reject(full));
    const handedOver = await keep(AbortSignal.abort()).catch((error: unknown) => error);
    expect(handedOver).toBeInstanceOf(HandoverError);
    expect(handedOver).toHaveProperty('cause', full);
    expect(puts).toHaveLength(1);
    expect(keptAside).toEqual([]);
  });

  it('with a bug is not taken for a full disk', async () => {
    const bug = new TypeError('a bug');
    const { keep, puts, keptAside } = createBench(() => Promise.reject(bug));
    await expect(keep()).rejects.toBe(bug);
    expect(puts).toHaveLength(1);
    expect(keptAside).toEqual([]);
  });
});

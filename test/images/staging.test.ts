import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InvalidPictureError, ProviderFailure, StorageError } from '../../src/errors.ts';
import { createStaging, type StagingOptions } from '../../src/images/staging.ts';
import { drawPng, inBlocks, noisePng, temporaryFolder } from './pictures.ts';

const ATTEMPT = '019a7c1e-3b1f-7000-8000-0123456789ab';
const answerOf = (picture: AsyncIterable<Uint8Array>, revisedPrompt?: string) => ({
  picture,
  metadata: () => ({ revisedPrompt }),
  model: 'gpt-image-2',
  httpStatus: 200,
});
const open = async (options: Partial<StagingOptions> = {}) => {
  const root = await temporaryFolder();
  const folder = join(root, 'staging');
  const rejectedFolder = join(root, 'rejected');
  const staging = await createStaging({ folder, rejectedFolder, ...options });
  return { staging, folder, rejectedFolder };
};
const rejection = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error,
  );

describe('drain', () => {
  it.each([
    ['in one block', 40, 192 * 1024],
    ['in many blocks', 400, 10_000],
    ['byte by byte', 10, 1],
  ])('stages a picture that comes %s', async (_, side, blockByteSize) => {
    const { staging, folder } = await open();
    const png = noisePng(side, side);
    const staged = await staging.drain(ATTEMPT, answerOf(inBlocks(png, blockByteSize), 'a fox, in ink'));

    expect(staged).toEqual({
      attemptId: ATTEMPT,
      path: join(folder, `${ATTEMPT}.png`),
      byteSize: png.length,
      sha256: createHash('sha256').update(png).digest('hex'),
      revisedPrompt: 'a fox, in ink',
      model: 'gpt-image-2',
    });
    expect((await readFile(staged.path)).equals(png)).toBe(true);
    expect(await readdir(folder)).toEqual([`${ATTEMPT}.json`, `${ATTEMPT}.png`]);
  });

  it('has the metadata only after the end, as providers need it', async () => {
    const { staging } = await open();
    let ended = false;
    async function* picture() {
      yield* inBlocks(await drawPng(9, 9));
      ended = true;
    }
    const metadata = () => {
      if (!ended) throw new Error('too early');
      return { revisedPrompt: undefined };
    };
    const staged = await staging.drain(ATTEMPT, { ...answerOf(picture()), metadata });
    expect(staged.revisedPrompt).toBeUndefined();
  });

  it('passes on what the provider throws, even where the bytes are no picture, and keeps nothing', async () => {
    const { staging, folder, rejectedFolder } = await open();
    const failure = new ProviderFailure('cut', { outcome: 'UNKNOWN' });
    async function* cut() {
      yield Buffer.from('no picture');
      yield Buffer.alloc(300_000);
      throw failure;
    }
    expect(await rejection(staging.drain(ATTEMPT, answerOf(cut())))).toBe(failure);
    expect(await readdir(folder)).toEqual([]);
    expect(await readdir(rejectedFolder)).toEqual([]);
    expect(await staging.find(ATTEMPT)).toBeUndefined();
  });

  it('keeps aside what ended well and is no picture', async () => {
    const { staging, folder, rejectedFolder } = await open();
    const html = Buffer.from('<!doctype html><p>Sorry');
    const error = await rejection(staging.drain(ATTEMPT, answerOf(inBlocks(html))));

    const keptAt = join(rejectedFolder, `${ATTEMPT}.bin`);
    expect(error).toBeInstanceOf(InvalidPictureError);
    expect(error).toMatchObject({ keptAt, httpStatus: 200, message: expect.stringContaining('signature') });
    expect(await readFile(keptAt)).toEqual(html);
    expect(await readdir(folder)).toEqual([]);
  });

  it('reads to the end before it judges', async () => {
    const { staging } = await open();
    let read = 0;
    async function* counted() {
      for await (const block of inBlocks(Buffer.alloc(100_000), 10_000)) {
        read += block.length;
        yield block;
      }
    }
    expect(await rejection(staging.drain(ATTEMPT, answerOf(counted())))).toBeInstanceOf(InvalidPictureError);
    expect(read).toBe(100_000);
  });

  it.each([
    ['cut', (png: Buffer) => png.subarray(0, -5), 'cut off'],
    ['with a wrong checksum', (png: Buffer) => png.fill(png.readUInt8(70) ^ 1, 70, 71), 'checksum'],
    ['with a tail', (png: Buffer) => Buffer.concat([png, Buffer.from('PK')]), 'follow its end'],
  ])('refuses a PNG %s', async (_, spoil, reason) => {
    const { staging } = await open();
    for (const blockByteSize of [192 * 1024, 50]) {
      const png = spoil(Buffer.from(noisePng(12, 12)));
      const error = await rejection(staging.drain(ATTEMPT, answerOf(inBlocks(png, blockByteSize))));
      expect(error).toMatchObject({ code: 'INVALID_IMAGE', message: expect.stringContaining(reason) });
      expect(await readFile((error as InvalidPictureError).keptAt ?? '')).toEqual(png);
    }
  });

  it('keeps what came before the provider found that it is no picture, if anything did', async () => {
    const { staging, rejectedFolder } = await open();
    async function* refused(...blocks: Buffer[]) {
      yield* blocks;
      throw new InvalidPictureError('This is no base64.', { httpStatus: 201 });
    }
    const nothing = await rejection(staging.drain(ATTEMPT, answerOf(refused())));
    expect(nothing).toMatchObject({ httpStatus: 201, keptAt: undefined });
    const some = await rejection(staging.drain(ATTEMPT, answerOf(refused(Buffer.from('abc')))));
    expect(some).toMatchObject({ httpStatus: 201, message: 'This is no base64.' });
    expect(await readFile(join(rejectedFolder, `${ATTEMPT}.bin`), 'utf8')).toBe('abc');
  });

  it('says so when an answer brings no byte', async () => {
    const { staging } = await open();
    const error = await rejection(staging.drain(ATTEMPT, answerOf(inBlocks(Buffer.alloc(0)))));
    expect(error).toMatchObject({ code: 'INVALID_IMAGE', keptAt: undefined, httpStatus: 200 });
  });

  it('stops reading at the limit, and frees the socket', async () => {
    const { staging } = await open({ maxByteSize: 1_000_000 });
    let read = 0;
    let freed = false;
    async function* endless() {
      try {
        for (;;) {
          read += 100_000;
          yield Buffer.alloc(100_000);
        }
      } finally {
        freed = true;
      }
    }
    const error = await rejection(staging.drain(ATTEMPT, answerOf(endless())));
    expect(error).toMatchObject({ code: 'INVALID_IMAGE', message: expect.stringContaining('1000000') });
    expect(read).toBe(1_100_000);
    expect(freed).toBe(true);
  });

  it.each([
    ['small', 5],
    ['large', 500],
  ])('calls a failing disk a StorageError, for a %s picture', async (_, side) => {
    const { staging, folder } = await open();
    await rm(folder, { recursive: true });
    const error = await rejection(staging.drain(ATTEMPT, answerOf(inBlocks(noisePng(side, side)))));
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ message: expect.stringContaining('ENOENT'), cause: { code: 'ENOENT' } });
    expect((error as StorageError).message).not.toContain(folder);
  });

  it.skipIf(process.platform !== 'linux')('calls a full disk a StorageError', async () => {
    const { staging, folder } = await open();
    const { symlink } = await import('node:fs/promises');
    await symlink('/dev/full', join(folder, `${ATTEMPT}.part`));
    const error = await rejection(staging.drain(ATTEMPT, answerOf(inBlocks(noisePng(500, 500)))));
    expect(error).toMatchObject({ code: 'STORAGE_FAILED', cause: { code: 'ENOSPC' } });
  });

  it('still says that the picture is bad when it cannot be kept', async () => {
    const { staging, rejectedFolder } = await open();
    await rm(rejectedFolder, { recursive: true });
    const error = await rejection(staging.drain(ATTEMPT, answerOf(inBlocks(Buffer.from('junk')))));
    expect(error).toMatchObject({
      code: 'INVALID_IMAGE',
      keptAt: undefined,
      message: expect.stringMatching(/signature.*not kept.*ENOENT/),
    });
  });

  it('refuses an attempt id that is a path', async () => {
    const { staging } = await open();
    for (const attemptId of ['../escape', 'a/b', '', 'a.b', 'a\0']) {
      expect(await rejection(staging.drain(attemptId, answerOf(inBlocks(noisePng(3, 3)))))).toBeInstanceOf(
        TypeError,
      );
    }
  });
});

describe('many drains at once', () => {
  it('finishes 64 with 16 places, and reads no more than 16 at once', async () => {
    const { staging, folder } = await open({ drainsAtOnce: 16 });
    const png = noisePng(100, 100);
    let open_ = 0;
    let most = 0;
    async function* counted() {
      open_ += 1;
      most = Math.max(most, open_);
      for await (const block of inBlocks(png, 5000)) {
        await new Promise(setImmediate);
        yield block;
      }
      open_ -= 1;
    }
    await Promise.all(
      Array.from({ length: 64 }, (_, number) => staging.drain(`attempt-${number}`, answerOf(counted()))),
    );
    expect(most).toBe(16);
    expect(await readdir(folder)).toHaveLength(128);
  });

  it('lets a fast one pass sixteen that drip', async () => {
    const { staging } = await open({ drainsAtOnce: 16, patienceMs: 5 });
    const png = noisePng(10, 10);
    let thaw = () => {};
    const frozen = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    async function* dripping() {
      yield png.subarray(0, 20);
      await frozen;
      yield png.subarray(20);
    }
    const slow = Array.from({ length: 16 }, (_, number) =>
      staging.drain(`slow-${number}`, answerOf(dripping())),
    );
    const fast = await staging.drain('fast', answerOf(inBlocks(png)));
    expect(fast.byteSize).toBe(png.length);

    thaw();
    expect((await Promise.all(slow)).map((staged) => staged.byteSize)).toEqual(Array(16).fill(png.length));
  });

  it('frees the place of one that fails while it drips', async () => {
    const { staging } = await open({ drainsAtOnce: 1, patienceMs: 1 });
    for (let round = 0; round < 3; round += 1) {
      async function* failing() {
        yield Buffer.from('abc');
        await new Promise((resolve) => setTimeout(resolve, 5));
        throw new ProviderFailure('cut', { outcome: 'UNKNOWN' });
      }
      expect(await rejection(staging.drain(ATTEMPT, answerOf(failing())))).toBeInstanceOf(ProviderFailure);
    }
    await expect(staging.drain(ATTEMPT, answerOf(inBlocks(noisePng(3, 3))))).resolves.toBeDefined();
  });
});

describe('after a restart', () => {
  const leave = async () => {
    const place = await open();
    const staged = await place.staging.drain(ATTEMPT, answerOf(inBlocks(noisePng(30, 30)), 'kept'));
    return { ...place, staged, reopened: await createStaging(place) };
  };

  it('finds a complete picture, with all that was known of it', async () => {
    const { reopened, staged } = await leave();
    expect(await reopened.find(ATTEMPT)).toEqual(staged);
    expect(await reopened.find('another-attempt')).toBeUndefined();
  });

  it('finds none whose manifest was not written yet', async () => {
    const { reopened, folder } = await leave();
    await rm(join(folder, `${ATTEMPT}.json`));
    expect(await reopened.find(ATTEMPT)).toBeUndefined();
  });

  it.each(['', '{"attemptId":', 'null', '[]', '{"attemptId":"a","byteSize":"1"}'])(
    'takes a manifest that reads %j for none',
    async (text) => {
      const { reopened, folder } = await leave();
      await writeFile(join(folder, `${ATTEMPT}.json`), text);
      expect(await reopened.find(ATTEMPT)).toBeUndefined();
    },
  );

  it('takes a picture for none when a power cut left it without its bytes', async () => {
    const { reopened, staged } = await leave();
    await writeFile(staged.path, Buffer.alloc(staged.byteSize));
    expect(await reopened.find(ATTEMPT)).toBeUndefined();
    await writeFile(staged.path, '');
    expect(await reopened.find(ATTEMPT)).toBeUndefined();
  });

  it('discards, as often as it is told to', async () => {
    const { reopened, folder } = await leave();
    await reopened.discard(ATTEMPT);
    await reopened.discard(ATTEMPT);
    expect(await readdir(folder)).toEqual([]);
  });

  it('keeps a complete picture aside for the operator', async () => {
    const { reopened, folder, staged } = await leave();
    const bytes = await readFile(staged.path);
    const keptAt = await reopened.keepAside(ATTEMPT);
    expect(await readFile(keptAt)).toEqual(bytes);
    expect(await readdir(folder)).toEqual([]);
    expect(await rejection(reopened.keepAside(ATTEMPT))).toBeInstanceOf(StorageError);
  });

  it('sweeps what is older than it is told, and nothing else', async () => {
    const { reopened, folder } = await leave();
    await writeFile(join(folder, 'old.part'), 'half');
    await writeFile(join(folder, 'new.part'), 'half');
    await writeFile(join(folder, 'notes.txt'), 'not ours');
    await mkdir(join(folder, 'folder'));
    const anHourAgo = new Date(Date.now() - 3_600_000);
    for (const name of ['old.part', 'notes.txt', `${ATTEMPT}.png`, `${ATTEMPT}.json`]) {
      await utimes(join(folder, name), anHourAgo, anHourAgo);
    }
    expect(await reopened.sweep({ olderThanMs: 7_200_000 })).toEqual({ removed: 0 });
    expect(await reopened.sweep({ olderThanMs: 1_800_000 })).toEqual({ removed: 3 });
    expect((await readdir(folder)).sort()).toEqual(['folder', 'new.part', 'notes.txt']);
  });

  it('sweeps what was kept aside when it is told, and not with the rest', async () => {
    const { staging, rejectedFolder } = await open();
    const old = new Date('2026-03-01T00:00:00Z');
    for (const name of ['old.bin', 'old.bin.part', 'notes.txt', 'new.bin']) {
      await writeFile(join(rejectedFolder, name), 'no picture');
      if (name !== 'new.bin') await utimes(join(rejectedFolder, name), old, old);
    }
    await staging.sweep({ olderThanMs: 0 });
    expect(await staging.sweepRejected(old.getTime() - 1)).toEqual({ removed: 0 });
    expect(await staging.sweepRejected(old.getTime())).toEqual({ removed: 2 });
    expect((await readdir(rejectedFolder)).sort()).toEqual(['new.bin', 'notes.txt']);
  });
});

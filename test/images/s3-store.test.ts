import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError, StorageError } from '../../src/errors.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import type { S3Credentials } from '../../src/images/s3-client.ts';
import { createS3Store } from '../../src/images/s3-store.ts';
import { describeBlobStore } from '../../src/testing/describe-blob-store.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { temporaryFolder } from './pictures.ts';

const ANSWER_MS = 300;
const KEY = 'ab/picture.png';
const PREFIX = 'gesso/images/';

const openOn = async (
  { bucket, endpoint, accessKeyId, secretAccessKey }: S3Server,
  {
    credentials = {},
    answerMs,
    now,
    ...location
  }: {
    bucket?: string;
    endpoint?: string;
    credentials?: Partial<S3Credentials>;
    answerMs?: number;
    now?: () => number;
  } = {},
): Promise<BlobStore> => {
  const store = await createS3Store({
    location: { bucket, prefix: PREFIX, endpoint, region: 'us-east-1', ...location },
    credentials: { accessKeyId, secretAccessKey, ...credentials },
    answerMs,
    now,
  });
  onTestFinished(store.close);
  return store;
};

describeBlobStore(
  'S3 store',
  async () => {
    const server = await startS3Server();
    return { store: await openOn(server), close: server.close };
  },
  { signsUrls: true },
);

describe('S3 store', () => {
  let server: S3Server;
  let store: BlobStore;
  let folder: string;
  beforeEach(async () => {
    server = await startS3Server();
    onTestFinished(server.close);
    store = await openOn(server, { answerMs: ANSWER_MS });
    folder = await temporaryFolder();
  });

  const put = async (bytes: Uint8Array, options: { sha256?: string } = {}) => {
    const path = join(folder, 'local');
    await writeFile(path, bytes);
    await store.putFile(KEY, path, { contentType: 'image/png', ...options });
  };
  const read = async () => {
    const blob = await store.open(KEY);
    return blob === undefined ? undefined : await buffer(blob.stream);
  };
  /** Everything that asks the store for something, once. */
  const calls = (): Record<string, () => Promise<unknown>> => ({
    put: () => put(Buffer.from('again')),
    stat: () => store.stat(KEY),
    open: () => store.open(KEY),
    range: () => store.open(KEY, { start: 0, end: 0 }),
    delete: () => store.delete(KEY),
    check: () => store.check(),
  });
  const failureOf = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => expect.unreachable('it did not fail'),
      (reason: unknown) => reason,
    );
    return error as Error;
  };

  it('keeps objects under its prefix, with their media type', async () => {
    await put(Buffer.from('x'));
    expect([...server.objects.keys()].sort()).toEqual([`${PREFIX}.ready`, `${PREFIX}${KEY}`]);
    expect(server.objects.get(PREFIX + KEY)?.contentType).toBe('image/png');
    expect(store.name).toBe(`s3://images/${PREFIX} at ${server.endpoint}`);
  });

  it('has bytes refused that are not those whose hash was given', async () => {
    await put(Buffer.from('first'));
    const error = await failureOf(put(Buffer.from('changed'), { sha256: '0'.repeat(64) }));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toBe('Could not store the image (XAmzContentSHA256Mismatch).');
    expect((await read())?.toString()).toBe('first');
  });

  it('reads a range that makes no sense as one that is not there, and not as the whole', async () => {
    await put(Buffer.from('0123456789'));
    for (const range of [
      { start: 5, end: 4 },
      { start: -1, end: 4 },
      { start: 0.5, end: 4 },
      { start: 0, end: Number.NaN },
    ]) {
      await expect(store.open(KEY, range)).rejects.toBeInstanceOf(RangeError);
    }
  });

  it('takes no bytes for others: a store that does not say which range it sends has failed', async () => {
    await put(Buffer.from('0123456789'));
    server.misbehave('no-range');
    expect(await failureOf(store.open(KEY, { start: 2, end: 3 }))).toBeInstanceOf(StorageError);
    expect((await read())?.toString()).toBe('0123456789');
  });

  describe('when the store answers 503', () => {
    it('fails with StorageError, soon, and works again when the store does', async () => {
      // The SDK asks twice, a moment apart.
      store = await openOn(server);
      await put(Buffer.from('kept'));
      server.failWith(503);
      for (const [name, call] of Object.entries(calls())) {
        const before = server.requests.length;
        const error = await failureOf(call());
        expect(error, name).toBeInstanceOf(StorageError);
        expect(error, name).toMatchObject({ code: 'STORAGE_FAILED', retryable: true });
        expect(error.message, name).toMatch(/\((SlowDown|HTTP 503)\)\.$/);
        expect(server.requests.length - before, name).toBeLessThanOrEqual(2);
      }
      server.failWith(undefined);
      expect((await read())?.toString()).toBe('kept');
      await store.check();
    });

    it('opens all the same, and is not ready until the store is', async () => {
      server.failWith(503);
      const late = await openOn(server);
      expect(await failureOf(late.check())).toBeInstanceOf(StorageError);
      server.failWith(undefined);
      await late.check();
    });
  });

  it('fails within bounded time when the store hangs', async () => {
    await put(Buffer.from('kept'));
    server.misbehave('hang');
    for (const [name, call] of Object.entries(calls())) {
      const startedAt = performance.now();
      const error = await failureOf(call());
      expect(error, name).toBeInstanceOf(StorageError);
      expect(error.message, name).toMatch(/\(TimeoutError\)\.$/);
      expect(performance.now() - startedAt, name).toBeLessThan(ANSWER_MS + 2_000);
    }
    const late = await openOn(server, { answerMs: ANSWER_MS });
    expect(await failureOf(late.check())).toBeInstanceOf(StorageError);
  });

  it('fails at once when nobody listens', async () => {
    await server.close();
    for (const [name, call] of Object.entries(calls())) {
      const error = await failureOf(call());
      expect(error, name).toBeInstanceOf(StorageError);
      expect(error.message, name).toMatch(/\((ECONNREFUSED|ECONNRESET)\)\.$/);
    }
  });

  describe('when the connection is cut', () => {
    it('tells the reader of a blob, who has some of it already', async () => {
      await put(randomBytes(3_000_000));
      server.misbehave('cut');
      const blob = await store.open(KEY);
      expect(blob?.byteSize).toBe(3_000_000);
      const error = await failureOf(buffer(blob?.stream ?? expect.unreachable()));
      expect(error).toBeInstanceOf(StorageError);
      expect(error.message).toMatch(/^Could not read the image \(/);
    });

    it('has not stored a blob, and leaves the one before it', async () => {
      await put(Buffer.from('the first'));
      server.misbehave('cut');
      expect(await failureOf(put(randomBytes(3_000_000)))).toBeInstanceOf(StorageError);
      server.misbehave(undefined);
      expect((await read())?.toString()).toBe('the first');
    });

    it('sends a blob again, once, when the store had closed a connection that was kept', async () => {
      await put(Buffer.from('one'));
      server.misbehave('reset-once');
      await put(Buffer.from('two'));
      expect((await read())?.toString()).toBe('two');
    });
  });

  it('ends a stream in which nothing comes any more', async () => {
    await put(randomBytes(3_000_000));
    server.misbehave('stall');
    const blob = await store.open(KEY);
    const error = await failureOf(buffer(blob?.stream ?? expect.unreachable()));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toBe('Could not read the image (TimeoutError).');
  });

  it('closes the connection of a reader who leaves', async () => {
    await put(Buffer.alloc(32_000_000));
    const blob = await store.open(KEY);
    expect(server.answering).toBe(1);
    blob?.stream.destroy();
    await vi.waitFor(() => expect(server.answering).toBe(0));
  });

  it('waits for a reader who takes long', async () => {
    const bytes = randomBytes(3_000_000);
    await put(bytes);
    const blob = await store.open(KEY);
    const blocks: Uint8Array[] = [];
    for await (const block of blob?.stream ?? expect.unreachable()) {
      if (blocks.length === 0) await sleep(ANSWER_MS * 2);
      blocks.push(block);
    }
    expect(Buffer.concat(blocks).equals(bytes)).toBe(true);
  });

  describe('when it is set up wrongly', () => {
    it.each<[string, Parameters<typeof openOn>[1], string]>([
      ['an unknown key', { credentials: { accessKeyId: 'AKIANOBODYNOBODYNOBO' } }, 'InvalidAccessKeyId'],
      [
        'a wrong secret',
        { credentials: { secretAccessKey: 'wrong/secret+access+key+of+40+characters' } },
        'SignatureDoesNotMatch',
      ],
      ['a bucket that does not exist', { bucket: 'no-such-bucket' }, 'NoSuchBucket'],
    ])('refuses to start with %s', async (_what, options, code) => {
      const error = await failureOf(openOn(server, options));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(`(${code})`);
    });

    it.each([301, 403, 404])('refuses to start where the store answers %i', async (status) => {
      server.failWith(status);
      expect(await failureOf(openOn(server))).toBeInstanceOf(ConfigError);
    });

    it('does not take a bucket that is gone for one without the image', async () => {
      server.failWith(503);
      const late = await openOn(server, { bucket: 'no-such-bucket' });
      server.failWith(undefined);
      const path = join(folder, 'x');
      await writeFile(path, 'x');
      for (const call of [
        () => late.stat(KEY),
        () => late.open(KEY),
        () => late.delete(KEY),
        () => late.putFile(KEY, path, { contentType: 'image/png' }),
        () => late.check(),
      ]) {
        const error = await failureOf(call());
        expect(error).toBeInstanceOf(StorageError);
        expect(error.message).toMatch(/\(NoSuchBucket\)\.$/);
      }
    });
  });

  it('takes the page of a proxy for what it is: no word of the store', async () => {
    for (const page of ['<html><head><title>Sorry</head></html>', '']) {
      for (const status of [404, 502]) {
        server.failWith(503);
        store = await openOn(server);
        server.failWith(status, page);
        for (const [name, call] of Object.entries(calls())) {
          const error = await failureOf(call());
          expect(error, name).toBeInstanceOf(StorageError);
          expect(error.message, name).toMatch(new RegExp(`\\((HTTP ${status}|NotFound)\\)\\.$`));
        }
      }
    }
  });

  it('tells nobody its secrets when it fails', async () => {
    const openStoreOf = async (credentials: Partial<S3Credentials>) => {
      server.failWith(503);
      return await openOn(server, { credentials });
    };
    const sessionToken = `token-${'s3cr3t'.repeat(20)}`;
    const secretAccessKey = 'wrong/secret+access+key+of+40+characters';
    const errors = [
      await failureOf(openOn(server, { credentials: { secretAccessKey, sessionToken } })),
      await failureOf(openOn(server, { credentials: { sessionToken }, bucket: 'no-such-bucket' })),
    ];
    for (const status of [403, 500, 503]) {
      server.failWith(status);
      for (const call of Object.values(calls())) errors.push(await failureOf(call()));
    }
    // Whatever a store writes into its errors.
    store = await openStoreOf({ sessionToken });
    const text = `no: ${sessionToken} ${server.secretAccessKey} ${'0123456789abcdef'.repeat(4)}`;
    server.failWith(403, `<Error><Code>AccessDenied</Code><Message>${text}</Message></Error>`);
    for (const call of Object.values(calls())) errors.push(await failureOf(call()));
    expect(errors.some((error) => String(error.cause).includes('no: …'))).toBe(true);

    for (const error of errors) {
      const told = inspect(error, { depth: 10, showHidden: true });
      expect(told).not.toContain(secretAccessKey);
      expect(told).not.toContain(server.secretAccessKey);
      expect(told).not.toContain('s3cr3t');
      expect(told).not.toContain('0123456789abcdef');
      expect(told).not.toMatch(/Signature=|authorization/i);
    }
  });

  describe('check', () => {
    const asked = async (): Promise<string[]> => {
      const before = server.requests.length;
      await store.check();
      return server.requests.slice(before);
    };

    it('writes at the start, and then only reads', async () => {
      expect(server.requests).toEqual([`PUT /images/${PREFIX}.ready`]);
      expect(await asked()).toEqual([`GET /images/${PREFIX}.ready`]);
      expect(await asked()).toEqual([`GET /images/${PREFIX}.ready`]);
    });

    it('writes again after a write has failed, since a read would not show it', async () => {
      server.failWith(503);
      await failureOf(put(Buffer.from('x')));
      server.failWith(undefined);
      expect(await asked()).toEqual([`PUT /images/${PREFIX}.ready`]);
      expect(await asked()).toEqual([`GET /images/${PREFIX}.ready`]);
    });

    it('asks once for all who ask at the same time', async () => {
      const before = server.requests.length;
      await Promise.all([store.check(), store.check(), store.check()]);
      expect(server.requests.length - before).toBe(1);
    });
  });

  describe('signUrl', () => {
    const terms = { method: 'GET', contentType: 'image/png', fileName: 'picture.png' } as const;
    const sign = async (
      signer: BlobStore,
      options: { expiresAt?: Date; method?: 'GET' | 'HEAD'; contentType?: string } = {},
    ) => {
      const { signUrl = expect.unreachable() } = signer;
      return await signUrl(KEY, { expiresAt: new Date(Date.now() + 3_600_000), ...terms, ...options });
    };
    const NOW = Date.parse('2030-01-01T00:02:30Z');

    it('fixes the media type and the name, whatever is stored', async () => {
      await put(Buffer.from('x'));
      const answer = await fetch((await sign(store, { contentType: 'image/x-other' })).url);
      expect(answer.headers.get('Content-Type')).toBe('image/x-other');
      expect(answer.headers.get('Content-Disposition')).toBe('inline; filename="picture.png"');
    });

    it('is good for one method, one key and one media type', async () => {
      await put(Buffer.from('x'));
      const { url } = await sign(store);
      const head = await sign(store, { method: 'HEAD' });
      expect((await fetch(head.url, { method: 'HEAD' })).status).toBe(200);
      for (const [changed, method] of [
        [url, 'HEAD'],
        [head.url, 'GET'],
        [url.replace('image%2Fpng', 'text%2Fhtml'), 'GET'],
        [url.replace('picture.png', 'pictures.png'), 'GET'],
        [url.replace('X-Amz-Expires=', 'X-Amz-Expires=1'), 'GET'],
        [url.split('?')[0] ?? '', 'GET'],
      ] as const) {
        expect((await fetch(changed, { method })).status, changed).toBe(403);
      }
    });

    it('is over when it says so', async () => {
      await put(Buffer.from('x'));
      const anHourAgo = Date.now() - 3_600_000;
      const past = await openOn(server, { now: () => anHourAgo });
      const expired = await sign(past, { expiresAt: new Date(anHourAgo + 1_800_000) });
      expect(expired.expiresAt.getTime()).toBeLessThan(Date.now());
      expect((await fetch(expired.url)).status).toBe(403);
      const valid = await sign(past, { expiresAt: new Date(anHourAgo + 5_400_000) });
      expect((await fetch(valid.url)).status).toBe(200);
    });

    it('ends no later than it is told to, a week, and the key that signs it', async () => {
      const at = (ms: number) => new Date(NOW + ms);
      const week = 7 * 86_400_000;
      const signer = await openOn(server, { now: () => NOW });
      expect((await sign(signer, { expiresAt: at(90_000) })).expiresAt).toEqual(at(90_000));
      const longest = (await sign(signer, { expiresAt: at(30 * 86_400_000) })).expiresAt.getTime();
      expect(longest).toBeLessThanOrEqual(NOW + week);
      expect(longest).toBeGreaterThan(NOW + week - 300_001);

      const role = await openOn(server, { now: () => NOW, credentials: { expiration: at(60_000) } });
      expect((await sign(role, { expiresAt: at(3_600_000) })).expiresAt).toEqual(at(60_000));
      expect(await failureOf(sign(role, { expiresAt: at(-300_000) }))).toBeInstanceOf(StorageError);
    });

    it('is the same for five minutes, so that browsers keep what they got', async () => {
      let now = NOW;
      const signer = await openOn(server, { now: () => now });
      const expiresAt = new Date(NOW + 3_600_000);
      const first = await sign(signer, { expiresAt });
      now += 149_999;
      expect(await sign(signer, { expiresAt })).toEqual(first);
      now += 1;
      expect((await sign(signer, { expiresAt })).url).not.toBe(first.url);
    });
  });
});

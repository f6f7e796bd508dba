import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { serve } from '@hono/node-server';
import sharp from 'sharp';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { createImageRoutes } from '../../src/http/images.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import { createFileStore } from '../../src/images/file-store.ts';
import { createRenditions } from '../../src/images/renditions.ts';
import { createUrlSigner } from '../../src/images/signed-urls.ts';
import type { ImageTransform } from '../../src/images/transform.ts';
import { noisePng } from '../images/pictures.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const KEY = 'ab/picture.png';
const thumb: ImageTransform = { maxWidth: 50, fit: 'CONTAIN', format: 'WEBP' };

describe('image routes', () => {
  const png = noisePng(200, 100);
  let clock: number;
  let files: BlobStore;
  /** What is asked of the store; a test may make it fail. */
  let store: BlobStore;
  let streams: Readable[];
  let logged: unknown[];
  let route: (request: Request) => Promise<Response>;
  let urlOf: (transform?: ImageTransform) => string;

  beforeEach(async () => {
    const root = await mkdtemp(join(tmpdir(), 'gesso-http-images-'));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    clock = START;
    streams = [];
    logged = [];
    files = await createFileStore({ folder: join(root, 'images') });
    await writeFile(join(root, 'staged'), png);
    await files.putFile(KEY, join(root, 'staged'), { contentType: 'image/png' });
    store = {
      ...files,
      async open(...parameters) {
        const opened = await files.open(...parameters);
        if (opened !== undefined) streams.push(opened.stream);
        return opened;
      },
    };
    const now = () => clock;
    const signer = createUrlSigner({
      secret: 'a secret of many characters',
      publicUrl: () => 'https://gesso.example',
      now,
    });
    const renditions = await createRenditions({ store, folder: join(root, 'renditions') });
    const log = { error: (fields: { err: unknown }) => logged.push(fields.err) };
    route = createImageRoutes({ signer, store, renditions, now, log });
    urlOf = (transform) => signer.sign({ blobKey: KEY, expiresAt: new Date(START + 3_600_000), transform });
  });

  const ask = (
    headers: Record<string, string> = {},
    { method = 'GET', transform = undefined as ImageTransform | undefined } = {},
  ) => route(new Request(urlOf(transform), { method, headers }));
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

  it('serves the picture byte for byte, with headers that let it be nothing else', async () => {
    const response = await ask();
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      'accept-ranges': 'bytes',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'Accept-Ranges, Content-Range, ETag',
      'cache-control': 'public, max-age=3600, immutable',
      'content-disposition': 'inline; filename="picture.png"',
      'content-length': String(png.length),
      'content-security-policy': "default-src 'none'; sandbox",
      'content-type': 'image/png',
      'cross-origin-resource-policy': 'cross-origin',
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
      'x-content-type-options': 'nosniff',
    });
    expect((await bytesOf(response)).equals(png)).toBe(true);
  });

  it('serves renditions', async () => {
    const response = await ask({}, { transform: thumb });
    expect(response.headers.get('Content-Type')).toBe('image/webp');
    expect(response.headers.get('Content-Disposition')).toBe('inline; filename="picture.webp"');
    const bytes = await bytesOf(response);
    expect(bytes.length).toBe(Number(response.headers.get('Content-Length')));
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 50, height: 25 });
  });

  it('answers HEAD as GET, without the bytes', async () => {
    for (const transform of [undefined, thumb]) {
      const [head, whole] = [await ask({}, { method: 'HEAD', transform }), await ask({}, { transform })];
      expect(head.status).toBe(200);
      expect([...head.headers]).toEqual([...whole.headers]);
      expect(head.body).toBeNull();
      await whole.body?.cancel();
    }
    expect((await ask({ Range: 'bytes=0-1' }, { method: 'HEAD' })).status).toBe(200);
  });

  it('lets caches keep it no longer than the URL is valid', async () => {
    clock = START + 3_590_500;
    expect((await ask({}, { method: 'HEAD' })).headers.get('Cache-Control')).toBe(
      'public, max-age=9, immutable',
    );
  });

  it.each([undefined, thumb])('answers 304 to whoever has it already (%j)', async (transform) => {
    const etag = (await ask({}, { method: 'HEAD', transform })).headers.get('ETag') ?? '';
    for (const method of ['GET', 'HEAD']) {
      for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const response = await ask({ 'If-None-Match': tags }, { method, transform });
        expect(response.status).toBe(304);
        expect(response.body).toBeNull();
        expect(response.headers.get('ETag')).toBe(etag);
        expect(response.headers.get('Cache-Control')).toContain('max-age=3600');
      }
    }
    const other = await ask({ 'If-None-Match': '"other"' }, { transform });
    expect(other.status).toBe(200);
    await other.body?.cancel();
  });

  it.each([
    ['bytes=0-9', 0, 9],
    ['bytes=100-', 100, undefined],
    ['bytes=-10', -10, undefined],
    ['bytes=10-999999999', 10, undefined],
  ])('serves the range %s', async (range, start, end) => {
    const response = await ask({ Range: range });
    const expected = png.subarray(start, end === undefined ? undefined : end + 1);
    const first = start < 0 ? png.length + start : start;
    expect(response.status).toBe(206);
    expect(response.headers.get('Content-Length')).toBe(String(expected.length));
    expect(response.headers.get('Content-Range')).toBe(
      `bytes ${first}-${first + expected.length - 1}/${png.length}`,
    );
    expect((await bytesOf(response)).equals(expected)).toBe(true);
  });

  it('serves ranges of renditions', async () => {
    const whole = await bytesOf(await ask({}, { transform: thumb }));
    const some = await ask({ Range: 'bytes=5-24' }, { transform: thumb });
    expect(some.status).toBe(206);
    expect(await bytesOf(some)).toEqual(whole.subarray(5, 25));
  });

  it('serves the whole for several ranges, and for one that it does not understand', async () => {
    for (const range of ['bytes=0-1,4-5', 'lines=1-2', 'bytes=9-1']) {
      const response = await ask({ Range: range });
      expect(response.status).toBe(200);
      expect((await bytesOf(response)).length).toBe(png.length);
    }
  });

  it('says how long the picture is to whoever asks behind its end', async () => {
    const response = await ask({ Range: `bytes=${png.length}-` });
    expect(response.status).toBe(416);
    expect(response.headers.get('Content-Range')).toBe(`bytes */${png.length}`);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
  });

  it('resumes a download only of the same bytes', async () => {
    const etag = (await ask({}, { method: 'HEAD' })).headers.get('ETag') ?? '';
    const cases = [
      [etag, 206],
      [`W/${etag}`, 200],
      ['"other"', 200],
      ['Tue, 01 Jan 2030 00:00:00 GMT', 200],
    ] as const;
    for (const [ifRange, status] of cases) {
      const response = await ask({ Range: 'bytes=5-9', 'If-Range': ifRange });
      expect(response.status, ifRange).toBe(status);
      await response.body?.cancel();
    }
  });

  describe('refuses', () => {
    const expectRefusal = async (response: Response, status: number, code: string) => {
      expect(response.status).toBe(status);
      expect(response.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
      expect(response.headers.get('Cache-Control')).toBe('no-store');
      expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
      expect(response.headers.get('ETag')).toBeNull();
      expect(await response.json()).toEqual({ error: { code, message: expect.any(String) } });
    };

    it('other methods', async () => {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
        const response = await ask({}, { method });
        expect(response.headers.get('Allow')).toBe('GET, HEAD');
        await expectRefusal(response, 405, 'METHOD_NOT_ALLOWED');
      }
    });

    it('URLs that were tampered with', async () => {
      const url = urlOf(thumb);
      for (const changed of [
        url.replace('w=50', 'w=5000'),
        `${url}?x=1`,
        url.replace('/ab/', '/ab/%2e%2e/'),
        url.slice(0, -1),
      ]) {
        await expectRefusal(await route(new Request(changed)), 403, 'URL_TAMPERED');
      }
    });

    it('URLs that have expired, but calls them tampered where they are both', async () => {
      clock = START + 3_600_000;
      await expectRefusal(await ask(), 410, 'URL_EXPIRED');
      await expectRefusal(await route(new Request(`${urlOf()}?x=1`)), 403, 'URL_TAMPERED');
      expect((await ask({ 'If-None-Match': '*' })).status).toBe(410);
    });

    it('pictures that were removed, also to whoever has them', async () => {
      const rendition = await ask({}, { transform: thumb });
      await rendition.body?.cancel();
      await files.delete(KEY);
      await expectRefusal(await ask(), 404, 'IMAGE_NOT_FOUND');
      await expectRefusal(await ask({}, { transform: thumb }), 404, 'IMAGE_NOT_FOUND');
      expect((await ask({ 'If-None-Match': '*' })).status).toBe(404);
      const head = await ask({}, { method: 'HEAD' });
      expect(head.status).toBe(404);
      expect(head.body).toBeNull();
    });

    it('to speak of a store that fails, except to the log', async () => {
      const failure = new StorageError('Could not open the image (EIO).');
      store.open = () => Promise.reject(failure);
      const response = await ask();
      expect(response.headers.get('Retry-After')).toBe('5');
      await expectRefusal(response.clone(), 503, 'STORAGE_FAILED');
      expect(await response.text()).not.toContain('EIO');
      expect(logged).toEqual([failure]);
    });

    it('to hide a bug', async () => {
      store.open = () => Promise.reject(new TypeError('a bug'));
      await expect(ask()).rejects.toThrow('a bug');
    });
  });

  it('closes the file when the body is canceled', async () => {
    const response = await ask();
    const closed = once(streams[0] ?? expect.unreachable(), 'close');
    await response.body?.cancel();
    await closed;
    expect(streams[0]?.destroyed).toBe(true);
  });

  it('closes the file when the client leaves in the middle', async () => {
    const large = noisePng(2000, 2000);
    const folder = await mkdtemp(join(tmpdir(), 'gesso-http-large-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'large'), large);
    await files.putFile(KEY, join(folder, 'large'), { contentType: 'image/png' });

    const server = serve({ fetch: route, port: 0, hostname: '127.0.0.1' });
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    if (!server.listening) await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const request = get({ port, host: '127.0.0.1', path: new URL(urlOf()).pathname, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.headers['content-length']).toBe(String(large.length));
    await once(response, 'data');
    response.pause();
    expect(streams[0]?.destroyed).toBe(false);
    const closed = once(streams[0] ?? expect.unreachable(), 'close');
    response.on('error', () => {});
    request.destroy();
    await closed;
    expect(streams[0]?.readableEnded).toBe(false);
  });
});

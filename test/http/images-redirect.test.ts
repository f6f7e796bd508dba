import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { createImageRoutes } from '../../src/http/images.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import { createFileStore } from '../../src/images/file-store.ts';
import { createRenditions, type Renditions } from '../../src/images/renditions.ts';
import { createS3Store } from '../../src/images/s3-store.ts';
import { createUrlSigner } from '../../src/images/signed-urls.ts';
import type { ImageTransform } from '../../src/images/transform.ts';
import { noisePng, temporaryFolder } from '../images/pictures.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';

const KEY = 'ab/picture.png';
const thumb: ImageTransform = { maxWidth: 50, fit: 'CONTAIN', format: 'WEBP' };
const png = noisePng(200, 100);

describe('image routes before an object store', () => {
  let server: S3Server;
  let store: BlobStore;
  let renditions: Renditions;
  /** The gateway's clock; the store has a real one, so they begin at the same time. */
  let clock: number;
  let logged: unknown[];
  let urlOf: (options?: { transform?: ImageTransform; secondsLeft?: number }) => string;
  let route: (request: Request) => Promise<Response>;
  let routesOf: (delivery: 'gateway' | 'redirect') => typeof route;

  beforeEach(async () => {
    const root = await temporaryFolder();
    server = await startS3Server();
    onTestFinished(server.close);
    clock = Date.now();
    logged = [];
    const { bucket, endpoint, ...credentials } = server;
    store = await createS3Store({
      location: { bucket, prefix: '', endpoint, region: 'us-east-1' },
      credentials,
      answerMs: 1_000,
      now: () => clock,
    });
    onTestFinished(store.close);
    await writeFile(join(root, 'staged'), png);
    await store.putFile(KEY, join(root, 'staged'), { contentType: 'image/png' });
    renditions = await createRenditions({ store, folder: join(root, 'renditions') });
    const signer = createUrlSigner({
      secret: 'a secret of many characters',
      publicUrl: () => 'https://gesso.example',
      now: () => clock,
      roundUpToMs: 1000,
    });
    const log = { error: (fields: { err: unknown }) => logged.push(fields.err) };
    urlOf = ({ transform, secondsLeft = 3600 } = {}) =>
      signer.sign({ blobKey: KEY, expiresAt: new Date(clock + secondsLeft * 1000), transform });
    routesOf = (delivery) =>
      createImageRoutes({ signer, store, renditions, delivery, now: () => clock, log });
    route = routesOf('redirect');
  });

  const ask = (url = urlOf(), { method = 'GET', headers = {} } = {}) =>
    route(new Request(url, { method, headers }));
  const locationOf = (response: Response) => response.headers.get('Location') ?? expect.unreachable();
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

  it('send whoever asks for an original to the store, which sends it as a PNG and as nothing else', async () => {
    const redirect = await ask();
    expect(redirect.status).toBe(302);
    expect(redirect.body).toBeNull();
    expect(redirect.headers.get('X-Content-Type-Options')).toBe('nosniff');
    const answer = await fetch(locationOf(redirect));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Content-Type')).toBe('image/png');
    expect(answer.headers.get('Content-Disposition')).toBe('inline; filename="picture.png"');
    expect((await bytesOf(answer)).equals(png)).toBe(true);
    const asHtml = locationOf(redirect).replace('image%2Fpng', 'text%2Fhtml');
    expect(asHtml).not.toBe(locationOf(redirect));
    expect((await fetch(asHtml)).status).toBe(403);
  });

  it('answer HEAD with a URL that is good for HEAD', async () => {
    const redirect = await ask(urlOf(), { method: 'HEAD' });
    expect(redirect.status).toBe(302);
    const answer = await fetch(locationOf(redirect), { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Content-Length')).toBe(String(png.length));
  });

  it('leave ranges to the store', async () => {
    const redirect = await ask(urlOf(), { headers: { Range: 'bytes=10-19' } });
    expect(redirect.status).toBe(302);
    const answer = await fetch(locationOf(redirect), { headers: { Range: 'bytes=10-19' } });
    expect(answer.status).toBe(206);
    expect((await bytesOf(answer)).equals(png.subarray(10, 20))).toBe(true);
  });

  it('let nobody in for longer than the URL that was signed here, nor caches lead there for as long', async () => {
    const url = urlOf({ secondsLeft: 600 });
    for (const [passedMs, left] of [
      [0, 600],
      [400_000, 200],
      [199_000, 1],
    ] as const) {
      clock += passedMs;
      const redirect = await ask(url);
      const location = new URL(locationOf(redirect));
      const [, year, month, day, hour, minute, second] =
        /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(location.searchParams.get('X-Amz-Date') ?? '') ?? [];
      const signedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
      const endsAt = signedAt + Number(location.searchParams.get('X-Amz-Expires')) * 1000;
      const leftMs = endsAt - clock;
      expect(leftMs).toBeGreaterThan((left - 1) * 1000);
      // The signature here is for whole seconds, rounded up.
      expect(leftMs).toBeLessThanOrEqual((left + 1) * 1000);
      const kept = /^public, max-age=(\d+)$/.exec(redirect.headers.get('Cache-Control') ?? '')?.[1];
      if (left === 1) expect(redirect.headers.get('Cache-Control')).toBe('no-store');
      else expect(Number(kept)).toBeLessThanOrEqual(left - 59);
    }
    clock += 2_000;
    expect((await ask(url)).status).toBe(410);
  });

  it('never lead there for longer than a week, which is the longest that a store takes', async () => {
    const redirect = await ask(urlOf({ secondsLeft: 30 * 86_400 }));
    const parameters = new URL(locationOf(redirect)).searchParams;
    expect(Number(parameters.get('X-Amz-Expires'))).toBeLessThanOrEqual(7 * 86_400);
    const kept = /max-age=(\d+)/.exec(redirect.headers.get('Cache-Control') ?? '')?.[1];
    expect(Number(kept)).toBeLessThan(7 * 86_400);
  });

  it.each(['GET', 'HEAD'])('refuse to %s what was tampered with, is expired or is gone', async (method) => {
    const statusOf = async (url: string) => (await ask(url, { method })).status;
    expect(await statusOf(`${urlOf()}?response-content-type=text/html`)).toBe(403);
    expect(await statusOf(urlOf().replace('/ab/', '/ac/'))).toBe(403);
    expect(await statusOf(urlOf({ secondsLeft: -10 }))).toBe(410);
    await store.delete(KEY);
    expect(await statusOf(urlOf())).toBe(404);
  });

  it('send renditions themselves', async () => {
    const response = await ask(urlOf({ transform: thumb }));
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe('image/webp');
    expect((await bytesOf(response)).length).toBe(Number(response.headers.get('Content-Length')));
  });

  it('take a rendition that changes nothing for the original', async () => {
    expect((await ask(urlOf({ transform: { fit: 'CONTAIN', format: 'PNG' } }))).status).toBe(302);
  });

  it('say that the store is away, without a word of where it is', async () => {
    server.failWith(503);
    const response = await ask();
    expect(response.status).toBe(503);
    expect(await response.text()).not.toMatch(/127\.0\.0\.1|SlowDown|Amz/);
    expect(logged).toHaveLength(1);
  });

  describe('that deliver by themselves', () => {
    beforeEach(() => {
      route = routesOf('gateway');
    });

    it('send the bytes, asking the store once', async () => {
      const before = server.requests.length;
      const response = await ask();
      expect(response.status).toBe(200);
      expect((await bytesOf(response)).equals(png)).toBe(true);
      expect(server.requests.slice(before)).toEqual([`GET /images/${KEY}`]);
    });

    it('send ranges, and the facts without the bytes', async () => {
      const range = await ask(urlOf(), { headers: { Range: 'bytes=10-19' } });
      expect(range.status).toBe(206);
      expect((await bytesOf(range)).equals(png.subarray(10, 20))).toBe(true);
      const head = await ask(urlOf(), { method: 'HEAD' });
      expect(head.headers.get('Content-Length')).toBe(String(png.length));
    });

    it('cut the answer and tell the log when the store cuts its own', async () => {
      server.misbehave('cut');
      const response = await ask();
      expect(response.status).toBe(200);
      await expect(response.arrayBuffer()).rejects.toThrow('Could not read the image');
      expect(logged).toHaveLength(1);
    });
  });
});

describe('image routes before a folder', () => {
  it('refuse to start with redirects, which would lead nowhere', async () => {
    const root = await temporaryFolder();
    const store = await createFileStore({ folder: join(root, 'images') });
    const renditions = await createRenditions({ store, folder: join(root, 'renditions') });
    const signer = createUrlSigner({ secret: 'a secret of many characters', publicUrl: () => 'https://x' });
    const create = () => createImageRoutes({ signer, store, renditions, delivery: 'redirect' });
    expect(create).toThrow(ConfigError);
    expect(create).toThrow('GESSO_IMAGE_DELIVERY=redirect');
  });
});

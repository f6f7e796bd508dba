import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, DownloadError, type GessoClient } from '../../src/client/index.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let client: GessoClient;
let folder: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  client = createClient({ url: gateway.url, apiKey: ADMIN_KEY });
  folder = await mkdtemp(join(tmpdir(), 'gesso-client-'));
});
afterAll(async () => {
  await gateway.close();
  await rm(folder, { recursive: true });
});

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A client whose first fetches of pictures are answered by these, and the rest by the gateway. */
function clientMeeting(...answers: ((url: string) => Promise<Response>)[]): GessoClient {
  return createClient({
    url: gateway.url,
    apiKey: ADMIN_KEY,
    clock: { now: Date.now, sleep: async () => undefined },
    fetch: async (input, init) => {
      const answer = String(input).includes('/images/') ? answers.shift() : undefined;
      return answer === undefined ? fetch(input, init) : answer(String(input));
    },
  });
}

describe('an image', () => {
  it('tells what was made, and how', async () => {
    const image = await client.generateImage({ prompt: 'A paper boat', size: 'LANDSCAPE_1536X1024' });
    const bytes = await image.bytes();
    expect(image).toMatchObject({
      width: 1536,
      height: 1024,
      contentType: 'image/png',
      byteSize: bytes.byteLength,
      sha256: sha256Of(bytes),
      altText: image.revisedPrompt,
      replayed: false,
      generation: {
        status: 'SUCCEEDED',
        prompt: 'A paper boat',
        requestedSize: 'LANDSCAPE_1536X1024',
        provider: 'bettertoken',
        attempts: [{ number: 1, outcome: 'SUCCEEDED', httpStatus: 200, provider: 'bettertoken' }],
      },
    });
    expect(image.thumbhash).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(image.createdAt).toBeInstanceOf(Date);
    expect(image.idempotencyKey).toBe(image.generation.idempotencyKey);
    expect(await client.image(image.id)).toMatchObject({ id: image.id, sha256: image.sha256 });
    expect((await client.generation(image.generation.id))?.image?.id).toBe(image.id);
    expect(await client.image('nothing')).toBeUndefined();
    expect(await client.generation('nothing')).toBeUndefined();
  });

  it('is the same for the same key, and replayed', async () => {
    const request = { prompt: 'Once', idempotencyKey: 'once' };
    const first = await client.generateImage(request);
    const again = await client.generateImage(request);
    expect([first.replayed, again.replayed]).toEqual([false, true]);
    expect(again.id).toBe(first.id);
  });
});

describe('bytes()', () => {
  it('asks for a fresh URL when the one at hand has expired', async () => {
    const { id, sha256 } = await client.generateImage({ prompt: 'An old link' });
    const image = await clientMeeting(async () => Response.json({}, { status: 410 })).image(id);
    expect(sha256Of((await image?.bytes()) ?? new Uint8Array())).toBe(sha256);
  });

  it('goes on when the picture is cut on the way, or the store is away for a moment', async () => {
    const { id, sha256 } = await client.generateImage({ prompt: 'A long way' });
    const image = await clientMeeting(
      () => Promise.reject(new TypeError('fetch failed')),
      async () => new Response('', { status: 503, headers: { 'retry-after': '5' } }),
    ).image(id);
    expect(sha256Of((await image?.bytes()) ?? new Uint8Array())).toBe(sha256);
  });

  it.each([
    ['has another length', () => new Response('short')],
    ['has another content', (byteSize: number) => new Response(new Uint8Array(byteSize))],
    ['was removed', () => Response.json({}, { status: 404 })],
  ])('throws DownloadError for one that %s', async (_name, answer) => {
    const { id, byteSize } = await client.generateImage({ prompt: 'Another one' });
    const image = await clientMeeting(async () => answer(byteSize)).image(id);
    await expect(image?.bytes()).rejects.toBeInstanceOf(DownloadError);
  });

  it('sends no API key and no header of its own to where pictures are', async () => {
    const { id } = await client.generateImage({ prompt: 'Seen by a CDN' });
    const sent: Headers[] = [];
    const watched = createClient({
      url: gateway.url,
      apiKey: ADMIN_KEY,
      headers: { 'x-team': 'covers' },
      fetch: (input, init) => {
        if (String(input).includes('/images/')) sent.push(new Headers(init?.headers));
        return fetch(input, init);
      },
    });
    await (await watched.image(id))?.bytes();
    expect(sent.map((headers) => [...headers])).toEqual([[]]);
  });
});

describe('save()', () => {
  it('writes the picture, whole, and nothing else', async () => {
    const image = await client.generateImage({ prompt: 'To keep' });
    const path = join(folder, 'kept.png');
    await writeFile(path, 'what was there before');
    await image.save(path);
    expect(sha256Of(await readFile(path))).toBe(image.sha256);
    expect(await readdir(folder)).toEqual(['kept.png']);
  });

  it('leaves nothing behind where it fails', async () => {
    const image = await client.generateImage({ prompt: 'To lose' });
    await expect(image.save(join(folder, 'no', 'such', 'folder.png'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
    const broken = await clientMeeting(async () => new Response('short')).image(image.id);
    await expect(broken?.save(join(folder, 'broken.png'))).rejects.toBeInstanceOf(DownloadError);
    expect(await readdir(folder)).toEqual(['kept.png']);
  });
});

describe('rendition()', () => {
  it('is smaller, in another format, and can be fetched and saved', async () => {
    const image = await client.generateImage({ prompt: 'Small', size: 'LANDSCAPE_1536X1024' });
    const small = await image.rendition({ maxWidth: 300, maxHeight: 300, format: 'WEBP', quality: 70 });
    expect(small).toMatchObject({ width: 300, height: 200, contentType: 'image/webp' });
    const bytes = await small.bytes();
    expect(Buffer.from(bytes.subarray(8, 12)).toString()).toBe('WEBP');
    const cropped = await image.rendition({ maxWidth: 100, maxHeight: 100, fit: 'COVER' });
    expect(cropped).toMatchObject({ width: 100, height: 100, contentType: 'image/png' });
    const path = join(folder, 'small.webp');
    await small.save(path);
    expect(sha256Of(await readFile(path))).toBe(sha256Of(bytes));
    await rm(path);
  });

  it('asks for a fresh URL when the one at hand has expired', async () => {
    const { id } = await client.generateImage({ prompt: 'Small and old' });
    const image = await clientMeeting(async () => Response.json({}, { status: 410 })).image(id);
    const small = await image?.rendition({ maxWidth: 64 });
    expect((await small?.bytes())?.byteLength).toBeGreaterThan(20);
  });
});

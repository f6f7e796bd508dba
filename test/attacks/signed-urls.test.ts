import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, sendPlain } from '../support/edge.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createTestClock } from '../support/test-clock.ts';

interface Urls {
  readonly url: string;
  readonly rendition: { readonly url: string };
}

/** Another character of the same alphabet. */
const changed = (character: string): string => (character === 'a' ? 'b' : 'a');
const changeAt = (text: string, index: number): string =>
  `${text.slice(0, index)}${changed(text.charAt(index))}${text.slice(index + 1)}`;

describe('the URL of an image', () => {
  const clock = createTestClock();
  let gateway: TestGateway;
  let imageId: string;
  let urls: Urls;
  beforeAll(async () => {
    gateway = await startTestGateway({ clock });
    const { image } = await gateway.generateImage({ prompt: 'a key and a lock' });
    imageId = image?.id ?? '';
    urls = await ask('url rendition(transform: { maxWidth: 64, format: WEBP }) { url }');
  });
  afterAll(() => gateway.close());

  const ask = async <Fields>(fields: string): Promise<Fields> =>
    (
      await gateway.query<{ image: Fields }>(`query ($id: ID!) { image(id: $id) { ${fields} } }`, {
        id: imageId,
      })
    ).image;

  it('opens the image without any key', async () => {
    const response = await fetch(urls.url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await fetch(urls.rendition.url)).headers.get('content-type')).toBe('image/webp');
  });

  it.each(['url', 'rendition'] as const)('is 403 when any character of it was changed: %s', async (which) => {
    const { pathname } = new URL(which === 'url' ? urls.url : urls.rendition.url);
    const start = '/images/'.length;
    for (let index = start; index < pathname.length; index += 1) {
      const path = changeAt(pathname, index);
      const answer = await sendPlain(gateway, { method: 'GET', path });
      expect([path, answer.status]).toEqual([path, 403]);
    }
  });

  it.each([
    ['a larger rendition', (path: string) => path.replace('w=64', 'w=4096')],
    ['another format', (path: string) => path.replace('.webp', '.avif')],
    ['more settings', (path: string) => path.replace('w=64', 'w=64,h=64')],
    [
      'the original instead of the rendition',
      (path: string) => path.replace('w=64/', '').replace('.webp', '.png'),
    ],
    ['the settings written otherwise', (path: string) => path.replace('w=64', 'w=064')],
    ['a query', (path: string) => `${path}?w=4096`],
    ['an escaped character', (path: string) => path.replace('.webp', '%2Ewebp')],
    ['a slash more', (path: string) => path.replace('w=64/', 'w=64//')],
    ['no signature', (path: string) => path.replace(/\.[^/]+\//, './')],
    ['nothing', () => '/images/'],
  ])('is 403 when it asks for %s', async (_what, change) => {
    const path = change(new URL(urls.rendition.url).pathname);
    expect((await sendPlain(gateway, { method: 'GET', path })).status).toBe(403);
  });

  it.each([
    '/images/../../../../etc/passwd',
    '/images/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
    '/images/..%2f..%2f..%2fetc%2fpasswd',
    '/images/....//....//etc/passwd',
    '/images/%00',
    '/images/\\..\\..\\etc\\passwd',
    '//images//etc/passwd',
  ])('leads nowhere else: %s', async (path) => {
    const answer = await sendPlain(gateway, { method: 'GET', path });
    expect([400, 403, 404]).toContain(answer.status);
    expect(answer.text).not.toContain('root:');
  });

  it('leads nowhere else behind a good signature either', async () => {
    const { pathname } = new URL(urls.url);
    const [, , signature = ''] = pathname.split('/');
    for (const path of [`/images/${signature}/../url-secret`, `/images/${signature}/..%2furl-secret`]) {
      expect([403, 404]).toContain((await sendPlain(gateway, { method: 'GET', path })).status);
    }
  });

  it('is 410 once it has expired, and a new one is to be had', async () => {
    const { short, long } = await ask<{ short: string; long: string }>(
      'short: url(expiresInSeconds: 1) long: url(expiresInSeconds: 600)',
    );
    expect((await fetch(short)).status).toBe(200);
    clock.jump(60_000);
    const gone = await fetch(short);
    expect(gone.status).toBe(410);
    expect(await gone.json()).toMatchObject({ error: { code: 'URL_EXPIRED' } });
    expect((await fetch(short, { method: 'HEAD' })).status).toBe(410);
    expect((await fetch(changeAt(short, short.length - 5))).status).toBe(403);
    expect((await fetch(long)).status).toBe(200);
    expect((await fetch((await ask<Urls>('url')).url)).status).toBe(200);
  });

  it.each([0, -1, 604_801])('is not made to live for %i seconds', async (expiresInSeconds) => {
    const answer = await gateway.send(
      'query ($id: ID!, $seconds: Int!) { image(id: $id) { url(expiresInSeconds: $seconds) } }',
      { id: imageId, seconds: expiresInSeconds },
    );
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT']);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('takes no %s', async (method) => {
    const { pathname } = new URL(urls.url);
    const answer = await sendPlain(gateway, { method, path: pathname });
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });
});

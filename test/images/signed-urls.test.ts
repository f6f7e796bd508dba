import { describe, expect, it } from 'vitest';
import { ConfigError, InvalidInputError } from '../../src/errors.ts';
import { createUrlSigner } from '../../src/images/signed-urls.ts';
import type { ImageTransform } from '../../src/images/transform.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const KEY = 'ab/019a7c1e-3b1f-7000-8000-0123456789ab.png';
const expiresAt = new Date(NOW + 3_600_000);
const secret = 'a secret of thirty-two characters';
const open = ({ base = 'https://gesso.example', now = NOW, secret: other = secret } = {}) =>
  createUrlSigner({ secret: other, publicUrl: () => base, now: () => now });
const thumb: ImageTransform = { maxWidth: 640, maxHeight: 480, fit: 'COVER', format: 'WEBP', quality: 70 };

describe('createUrlSigner', () => {
  it('makes short URLs that end as a file does', () => {
    const { sign } = open();
    expect(sign({ blobKey: KEY, expiresAt })).toMatch(
      /^https:\/\/gesso\.example\/images\/[0-9a-z]{6}\.[\w-]{22}\/ab\/019a7c1e-3b1f-7000-8000-0123456789ab\.png$/,
    );
    expect(sign({ blobKey: KEY, expiresAt, transform: thumb })).toMatch(
      /^https:\/\/gesso\.example\/images\/[0-9a-z]{6}\.[\w-]{22}\/w=640,h=480,fit=cover,q=70\/ab\/[0-9a-f-]{36}\.webp$/,
    );
    expect(sign({ blobKey: KEY, expiresAt, transform: { fit: 'CONTAIN', format: 'JPEG' } })).toMatch(
      /\/images\/[0-9a-z]{6}\.[\w-]{22}\/ab\/[0-9a-f-]{36}\.jpg$/,
    );
  });

  it.each<[string, ImageTransform | undefined]>([
    ['the picture itself', undefined],
    ['another format', { fit: 'CONTAIN', format: 'AVIF' }],
    ['a width', { maxWidth: 1, fit: 'CONTAIN', format: 'PNG' }],
    ['a height', { maxHeight: 8192, fit: 'CONTAIN', format: 'JPEG' }],
    ['a quality', { fit: 'CONTAIN', format: 'WEBP', quality: 100 }],
    ['everything', thumb],
  ])('gives back what was signed: %s', (_, transform) => {
    const signer = open();
    const verified = signer.verify(new URL(signer.sign({ blobKey: KEY, expiresAt, transform })));
    expect(verified).toEqual({
      blobKey: KEY,
      expiresAt,
      transform: transform && { maxWidth: undefined, maxHeight: undefined, quality: undefined, ...transform },
    });
  });

  it('writes equal images as equal URLs', () => {
    const { sign } = open();
    const url = sign({ blobKey: KEY, expiresAt });
    expect(sign({ blobKey: KEY, expiresAt, transform: { fit: 'CONTAIN', format: 'PNG' } })).toBe(url);
    expect(open().sign({ blobKey: KEY, expiresAt: new Date(expiresAt.getTime() - 299_000) })).toBe(url);
    expect(sign({ blobKey: KEY, expiresAt: new Date(expiresAt.getTime() + 1) })).not.toBe(url);
  });

  it('expires at the next full five minutes, never sooner than asked', () => {
    const { sign } = open();
    const url = new URL(sign({ blobKey: KEY, expiresAt: new Date(NOW + 1000) }));
    expect(open({ now: NOW + 299_999 }).verify(url)).toMatchObject({ expiresAt: new Date(NOW + 300_000) });
    expect(open({ now: NOW + 300_000 }).verify(url)).toBe('expired');
  });

  it('finds any changed character, also when the URL has expired', () => {
    const url = open().sign({ blobKey: KEY, expiresAt, transform: thumb });
    const path = new URL(url).pathname;
    for (const now of [NOW, NOW + 1e10]) {
      const { verify } = open({ now });
      expect(verify(new URL(url))).not.toBe('tampered');
      for (let at = 0; at < path.length; at += 1) {
        for (const character of ['0', 'A', '/', '.', ',', '']) {
          if (path[at] === character) continue;
          const changed = new URL(path.slice(0, at) + character + path.slice(at + 1), url);
          if (changed.pathname === path) continue;
          expect(verify(changed), changed.pathname).toBe('tampered');
        }
      }
    }
  });

  it.each<[string, (url: string) => string]>([
    ['a query', (url) => `${url}?w=1`],
    ['a fragment', (url) => `${url}#x`],
    ['no settings', (url) => url.replace(/w=[^/]*\//, '')],
    ['settings in another order', (url) => url.replace('w=640,h=480', 'h=480,w=640')],
    ['a setting twice', (url) => url.replace('w=640', 'w=640,w=640')],
    ['an unknown setting', (url) => url.replace('w=640', 'blur=9,w=640')],
    ['another format', (url) => url.replace('.webp', '.png')],
    ['another folder', (url) => url.replace('/ab/', '/ac/')],
    ['a way out', (url) => url.replace('/ab/', '/ab/..%2f..%2f')],
    ['an encoded character', (url) => url.replace('w=640', 'w%3D640')],
    ['a doubled slash', (url) => url.replace('/ab/', '//ab/')],
    ['another prefix', (url) => url.replace('/images/', '/image/')],
    ['a path before it', (url) => url.replace('/images/', '/x/images/')],
    ['no signature', (url) => url.replace(/\.[\w-]{22}\//, './')],
    ['nothing else', () => 'https://gesso.example/images/'],
  ])('calls a URL with %s tampered', (_, change) => {
    const signer = open();
    const url = signer.sign({ blobKey: KEY, expiresAt, transform: thumb });
    expect(change(url)).not.toBe(url);
    expect(signer.verify(new URL(change(url)))).toBe('tampered');
  });

  it('believes no other secret', () => {
    const url = new URL(
      open({ secret: 'another secret of many characters' }).sign({ blobKey: KEY, expiresAt }),
    );
    expect(open().verify(url)).toBe('tampered');
  });

  it('believes the same path on another host, and under a base path with or without it', () => {
    const signer = open({ base: 'https://cdn.example/gesso/' });
    const url = signer.sign({ blobKey: KEY, expiresAt });
    expect(url).toMatch(/^https:\/\/cdn\.example\/gesso\/images\//);
    expect(signer.verify(new URL(url))).toMatchObject({ blobKey: KEY });
    expect(
      signer.verify(new URL(url.replace('https://cdn.example/gesso', 'http://127.0.0.1:8080'))),
    ).toMatchObject({
      blobKey: KEY,
    });
  });

  it('signs nothing that it could not serve', () => {
    const { sign } = open();
    for (const blobKey of ['../secret.png', 'a/../b.png', 'ab/x.jpg', 'AB/x.png', '']) {
      expect(() => sign({ blobKey, expiresAt }), blobKey).toThrow(TypeError);
    }
    const transform: ImageTransform = { fit: 'CONTAIN', format: 'WEBP', maxWidth: 9000 };
    expect(() => sign({ blobKey: KEY, expiresAt, transform })).toThrow(InvalidInputError);
    expect(() => sign({ blobKey: KEY, expiresAt: new Date(Number.NaN) })).toThrow(TypeError);
  });

  it('refuses a secret that could be guessed', () => {
    expect(() => open({ secret: 'short' })).toThrow(ConfigError);
  });
});

import { describe, expect, it } from 'vitest';
import { checkWebhookUrl } from '../../src/webhooks/webhook-url.ts';

const HOSTS = ['hooks.example.com', '*.example.org'];
const check = (text: string) => checkWebhookUrl(text, HOSTS);

describe('a webhookUrl', () => {
  it.each([
    ['https://hooks.example.com', 'https://hooks.example.com/'],
    ['https://hooks.example.com/gesso?token=1', 'https://hooks.example.com/gesso?token=1'],
    ['https://a.example.org/', 'https://a.example.org/'],
    ['https://a.b.example.org/', 'https://a.b.example.org/'],
    ['HTTPS://Hooks.Example.COM/Path', 'https://hooks.example.com/Path'],
    ['https://hooks.example.com:443/', 'https://hooks.example.com/'],
    ['https://hooks.example.com:1024/', 'https://hooks.example.com:1024/'],
    ['https://hooks.example.com:65535/', 'https://hooks.example.com:65535/'],
    ['https://hooks.example.com/straße', 'https://hooks.example.com/stra%C3%9Fe'],
    ['https://hooks.example.com/a/../b', 'https://hooks.example.com/b'],
  ])('is taken in its one normal form: %s', (text, url) => {
    expect(check(text)).toEqual({ url });
  });

  it.each([
    ['another scheme', 'http://hooks.example.com/', 'https://'],
    ['another scheme', 'ftp://hooks.example.com/', 'https://'],
    ['no scheme', '//hooks.example.com/', 'a URL'],
    ['a user', 'https://me@hooks.example.com/', 'user name'],
    ['a password', 'https://:secret@hooks.example.com/', 'user name'],
    ['nobody, but an @', 'https://@hooks.example.com/', 'plainly'],
    ['a host that looks like a user', 'https://hooks.example.com@evil.example/', 'user name'],
    ['a fragment', 'https://hooks.example.com/#a', 'fragment'],
    ['an empty fragment', 'https://hooks.example.com/#', 'fragment'],
    ['a port of other services', 'https://hooks.example.com:22/', 'port'],
    ['the highest of those', 'https://hooks.example.com:1023/', 'port'],
    ['port 0', 'https://hooks.example.com:0/', 'port'],
    ['a port that there is not', 'https://hooks.example.com:65536/', 'a URL'],
    ['another host', 'https://evil.example/', 'not allow'],
    ['a host below an exact one', 'https://a.hooks.example.com/', 'not allow'],
    ['a host that ends alike', 'https://evilexample.org/', 'not allow'],
    ['the name itself above a `*.`', 'https://example.org/', 'not allow'],
    ['a host that begins alike', 'https://hooks.example.com.evil.example/', 'not allow'],
    ['a dot at the end', 'https://hooks.example.com./', 'not allow'],
    ['a dot at the end, below a `*.`', 'https://a.example.org./', 'not allow'],
    ['loopback', 'https://127.0.0.1/', 'not an IP address'],
    ['an address, in short', 'https://127.1/', 'not an IP address'],
    ['an address, decimal', 'https://2130706433/', 'not an IP address'],
    ['an address, octal', 'https://0177.0.0.1/', 'not an IP address'],
    ['an address, hexadecimal', 'https://0x7f000001/', 'not an IP address'],
    ['an address, in wide digits', 'https://１２７.０.０.１/', 'not an IP address'],
    ['an address of the public internet', 'https://8.8.8.8/', 'not an IP address'],
    ['IPv6 loopback', 'https://[::1]/', 'not an IP address'],
    ['IPv6 that carries IPv4', 'https://[::ffff:127.0.0.1]/', 'not an IP address'],
    ['a look-alike (Cyrillic o)', 'https://hооks.example.com/', 'plainly'],
    ['its punycode', 'https://xn--hks-hedb.example.com/', 'not allow'],
    ['wide letters', 'https://ｈｏｏｋｓ.example.com/', 'plainly'],
    ['an ideographic full stop', 'https://hooks。example。com/', 'plainly'],
    ['escapes in the host', 'https://hooks%2Eexample.com/', 'plainly'],
    ['a soft hyphen in the host', 'https://hooks\u00ad.example.com/', 'plainly'],
    ['a line break in the host', 'https://hooks.exam\nple.com/', 'plainly'],
    ['backslashes', 'https:\\\\hooks.example.com\\', 'plainly'],
    ['a backslash before an @', 'https://evil.example\\@hooks.example.com/', 'not allow'],
    ['one slash', 'https:/hooks.example.com/', 'plainly'],
    ['space in front', ' https://hooks.example.com/', 'plainly'],
    ['nothing', '', 'a URL'],
    ['too much', `https://hooks.example.com/${'a'.repeat(2000)}`, '2000 characters'],
    ['too much when escaped', `https://hooks.example.com/${'ß'.repeat(500)}`, '2000 characters'],
  ])('is refused with %s: %s', (_what, text, problem) => {
    expect(check(text)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it('is refused where no host is configured, and says so', () => {
    const refused = { problem: 'is not allowed: this gateway sends no webhooks.' };
    expect(checkWebhookUrl('https://hooks.example.com/', undefined)).toEqual(refused);
  });

  it('is not quoted by what refuses it', () => {
    const answer = check('https://me:secret-1@evil.example/secret-2?secret-3');
    expect(JSON.stringify(answer)).not.toContain('secret');
  });
});

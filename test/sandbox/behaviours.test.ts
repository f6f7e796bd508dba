import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { plainPicture, type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { goodFields, imageOf, post } from './client.ts';
import { lengthOf, meetWith } from './meet.ts';

const picture = plainPicture({ width: 64, height: 48, seed: 5, noise: true });
let sandbox: Sandbox;
const meet = meetWith(() => sandbox);
beforeAll(async () => {
  sandbox = await startSandbox({ pictures: picture });
});
afterEach(() => {
  sandbox.behaveAlways(undefined);
  sandbox.journal.clear();
});
afterAll(() => sandbox.close());

describe('status', () => {
  it.each([400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504])(
    'answers %i unbilled',
    async (status) => {
      const answer = await meet({ kind: 'status', status, code: 'told_so', headers: { 'retry-after': '7' } });
      expect(answer).toMatchObject({ status, billed: false, ended: 'end' });
      expect(answer.headers['retry-after']).toBe('7');
      expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: 'told_so', param: null } });
    },
  );

  it('answers with a page, a line or nothing', async () => {
    const html = await meet({ kind: 'status', status: 502, body: 'html' });
    expect(html.headers['content-type']).toContain('text/html');
    const text = await meet({ kind: 'status', status: 502, body: 'text', message: 'bad gateway' });
    expect(text.body.toString()).toBe('bad gateway');
    const empty = await meet({ kind: 'status', status: 500, body: 'empty', billed: true });
    expect(empty).toMatchObject({ billed: true, body: Buffer.alloc(0) });
    expect(empty.headers['content-type']).toBeUndefined();
  });

  it('redirects without billing', async () => {
    const answer = await meet({ kind: 'redirect', status: 302, location: 'http://127.0.0.1:9/elsewhere' });
    expect(answer).toMatchObject({ status: 302, billed: false });
    expect(answer.headers.location).toBe('http://127.0.0.1:9/elsewhere');
  });

  it('echoes the key, but not into the journal', async () => {
    const answer = await meet({ kind: 'echo-key' });
    expect(answer.status).toBe(401);
    expect(answer.headers['x-echo']).toBe('Bearer sk-test');
    expect(answer.body.toString()).toContain('sk-test');
    expect(JSON.stringify(sandbox.journal.entries)).not.toContain('sk-test');
  });
});

describe('a connection that breaks', () => {
  const patience = (kind: string): number => (kind === 'hang' ? 250 : 5000);

  it.each([
    { kind: 'reset', ended: 'reset' },
    { kind: 'close', ended: 'end' },
    { kind: 'hang', ended: 'open' },
  ] as const)('before the request was accepted is not billed: $kind', async ({ kind, ended }) => {
    const answer = await meet({ kind, at: 'before-accept' }, patience(kind));
    expect(answer).toMatchObject({ ended, billed: false, bytes: Buffer.alloc(0) });
  });

  it.each([
    { kind: 'reset', ended: 'reset' },
    { kind: 'close', ended: 'end' },
    { kind: 'hang', ended: 'open' },
  ] as const)('after it was accepted is billed, wherever: $kind', async ({ kind, ended }) => {
    const before = await meet({ kind, at: 'before-headers' }, patience(kind));
    expect(before).toMatchObject({ ended, billed: true, bytes: Buffer.alloc(0) });

    const middle = await meet({ kind, at: 'mid-body' }, patience(kind));
    expect(middle).toMatchObject({ ended, billed: true, status: 200 });
    expect(middle.body.byteLength).toBe(Math.floor(lengthOf(middle) / 2));

    const chunked = await meet({ kind, at: 'mid-body', framing: 'chunked' }, patience(kind));
    expect(chunked).toMatchObject({ ended, billed: true });
    expect(chunked.headers['transfer-encoding']).toBe('chunked');
    expect(chunked.body.toString()).not.toContain('\r\n0\r\n\r\n');

    const after = await meet({ kind, at: 'after-body' }, patience(kind));
    expect(after).toMatchObject({ ended, billed: true });
    expect(after.body.toString()).toContain('}]}\r\n');
    expect(after.body.toString()).not.toContain('\r\n0\r\n\r\n');

    const whole = await meet({ kind, at: 'after-body', framing: 'content-length' }, patience(kind));
    expect(whole).toMatchObject({ ended, billed: true });
    expect(imageOf(whole.body.toString()).picture.equals(picture)).toBe(true);
  });

  it('can speak something that is not HTTP', async () => {
    const answer = await meet({ kind: 'not-http' });
    expect(answer).toMatchObject({ ended: 'end', billed: true, status: undefined });
    expect(answer.bytes.toString()).toContain('ESMTP');
  });
});

describe('time', () => {
  it('holds before billing, and a client that leaves meanwhile is not billed', async () => {
    const answer = await meet({ kind: 'normal', holdMs: 60_000 }, 80);
    expect(answer).toMatchObject({ ended: 'open', billed: false });
  });

  it('delays after billing, and a client that leaves meanwhile is billed', async () => {
    const answer = await meet({ kind: 'normal', delayMs: 60_000 }, 80);
    expect(answer).toMatchObject({ ended: 'open', billed: true, bytes: Buffer.alloc(0) });
    await expect.poll(() => sandbox.journal.entries[0]?.clientLeft).toBe(true);
  });

  it('delays the headers of a picture by latencyMs, but not those of an error', async () => {
    const slow = await startSandbox({ pictures: picture, latencyMs: 250 });
    try {
      slow.behave({ kind: 'status', status: 429 }, { kind: 'normal' });
      await post(slow.baseUrl);
      await post(slow.baseUrl);
      const [refused, drawn] = slow.journal.entries.map(
        (entry) => Number(entry.finishedAt) - Number(entry.receivedAt),
      );
      expect(refused).toBeLessThan(245);
      expect(drawn).toBeGreaterThanOrEqual(245);
    } finally {
      await slow.close();
    }
  });

  it('drips, with the headers at once', async () => {
    const started = performance.now();
    const slow = await meet({ kind: 'drip', everyMs: 15, bytes: 1000 });
    expect(performance.now() - started).toBeGreaterThan(Math.floor(lengthOf(slow) / 1000) * 14);
    expect(slow).toMatchObject({ ended: 'end', billed: true });
    expect(imageOf(slow.body.toString()).picture.equals(picture)).toBe(true);

    const slower = await meet({ kind: 'drip', everyMs: 60_000 }, 80);
    expect(slower).toMatchObject({ ended: 'open', status: 200, body: Buffer.alloc(0) });
  });
});

describe('what is to be done', () => {
  it('comes from the queue, then from the standing rule, then is normal', async () => {
    sandbox.behaveAlways(({ prompt }) => (prompt === 'no' ? { kind: 'status', status: 403 } : undefined));
    sandbox.behave({ kind: 'status', status: 500 }, { kind: 'status', status: 503 });
    const statuses: number[] = [];
    for (const prompt of ['no', 'yes', 'no', 'yes']) {
      statuses.push((await post(sandbox.baseUrl, { ...goodFields, prompt })).status);
    }
    expect(statuses).toEqual([500, 503, 403, 200]);
    sandbox.behaveAlways({ kind: 'status', status: 429 });
    expect((await post(sandbox.baseUrl)).status).toBe(429);
  });

  it('is not taken by a refused request', async () => {
    sandbox.behave({ kind: 'status', status: 503 });
    expect((await post(sandbox.baseUrl, '{')).status).toBe(400);
    expect((await post(sandbox.baseUrl)).status).toBe(503);
  });

  it('is checked when it is asked for', () => {
    expect(() => sandbox.behave({ kind: 'status', status: 99 })).toThrow();
    expect(() => sandbox.behave({ kind: 'status', status: 204 })).toThrow('no body');
  });

  it('shows a standing rule that throws, as a 500 and in the journal', async () => {
    const mistake = new Error('a mistake in the test');
    sandbox.behaveAlways(() => {
      throw mistake;
    });
    const answer = await post(sandbox.baseUrl);
    expect(answer.status).toBe(500);
    expect(answer.text).toContain('a mistake in the test');
    expect(sandbox.journal.entries[0]).toMatchObject({ error: mistake, status: 500, billedAt: undefined });
  });
});

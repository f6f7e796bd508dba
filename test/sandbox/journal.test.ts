import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plainPicture, type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { goodFields, post } from './client.ts';

const picture = plainPicture({ width: 16, height: 16 });
let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox({ pictures: picture });
});
afterEach(() => sandbox.close());

describe('journal', () => {
  it('tells of a request what was asked, what was answered and that it was billed', async () => {
    const body = JSON.stringify({ ...goodFields, prompt: '一张 AI 海报' }, undefined, 1);
    await post(sandbox.baseUrl, body, { headers: { 'x-request-id': 'attempt-1' } });
    const [entry] = await sandbox.journal.waitFor(1, { where: ({ finishedAt }) => finishedAt !== undefined });
    expect(entry).toMatchObject({
      number: 1,
      method: 'POST',
      path: '/v1/images/generations',
      requestId: 'attempt-1',
      prompt: '一张 AI 海报',
      json: { size: '1024x1024' },
      call: true,
      behaviour: 'normal',
      status: 200,
      clientLeft: false,
      error: undefined,
    });
    expect(entry?.body.equals(Buffer.from(body))).toBe(true);
    expect(entry?.headers).toMatchObject({ 'x-request-id': 'attempt-1', authorization: 'accepted' });
    const times = [entry?.receivedAt, entry?.billedAt, entry?.finishedAt].map(Number);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(sandbox.journal.billed()).toEqual([entry]);
  });

  it('bills neither refusals nor errors, but counts them as calls', async () => {
    sandbox.behave({ kind: 'status', status: 500 });
    await post(sandbox.baseUrl);
    await post(sandbox.baseUrl, '{');
    await post(sandbox.baseUrl, goodFields, { headers: { authorization: '' } });
    await post(sandbox.baseUrl, goodFields, { path: '/models' });
    expect(sandbox.journal.entries.map(({ status }) => status)).toEqual([500, 400, 401, 404]);
    expect(sandbox.journal.calls()).toHaveLength(3);
    expect(sandbox.journal.billed()).toEqual([]);
  });

  it('bills a client that left while its picture was made, and says that it left', async () => {
    sandbox.behave({ kind: 'hang', at: 'before-headers' });
    const leaving = new AbortController();
    const answer = post(sandbox.baseUrl, goodFields, { signal: leaving.signal });
    await sandbox.journal.waitFor(1, { where: ({ billedAt }) => billedAt !== undefined });
    leaving.abort();
    await expect(answer).rejects.toThrow();
    const [entry] = await sandbox.journal.waitFor(1, { where: ({ clientLeft }) => clientLeft });
    expect(entry?.status).toBeUndefined();
    expect(sandbox.journal.billed()).toHaveLength(1);
  });

  it('does not say that a client left whose connection the sandbox broke', async () => {
    sandbox.behave({ kind: 'reset', at: 'before-headers' });
    await expect(post(sandbox.baseUrl)).rejects.toThrow();
    const [entry] = await sandbox.journal.waitFor(1, { where: ({ finishedAt }) => finishedAt !== undefined });
    expect(entry).toMatchObject({ clientLeft: false, behaviour: 'reset' });
  });

  it('knows how many requests are open, and the most there ever were', async () => {
    const gate = Promise.withResolvers<Buffer>();
    const slow = await startSandbox({ pictures: () => gate.promise });
    try {
      const answers = Array.from({ length: 30 }, () => post(slow.baseUrl));
      await slow.journal.waitFor(30);
      expect(slow.journal.open).toBe(30);
      gate.resolve(picture);
      await Promise.all(answers);
      await expect.poll(() => slow.journal.open).toBe(0);
      expect(slow.journal.peakOpen).toBe(30);
      slow.journal.clear();
      expect(slow.journal).toMatchObject({ peakOpen: 0, entries: [] });
    } finally {
      await slow.close();
    }
  });

  it('rejects a wait that does not come true', async () => {
    await post(sandbox.baseUrl);
    await expect(sandbox.journal.waitFor(2, { timeoutMs: 30 })).rejects.toThrow('1 of 2 calls within 30 ms');
  });

  it('is bounded, and says what it dropped', async () => {
    const small = await startSandbox({ pictures: picture, journalEntries: 3 });
    try {
      for (let call = 0; call < 5; call += 1) await post(small.baseUrl);
      expect(small.journal.entries.map(({ number }) => number)).toEqual([3, 4, 5]);
      expect(small.journal.dropped).toBe(2);
    } finally {
      await small.close();
    }
  });

  it('is left in peace by a sandbox that closes', async () => {
    sandbox.behave({ kind: 'hang', at: 'before-headers' });
    const answer = post(sandbox.baseUrl);
    await sandbox.journal.waitFor(1);
    await Promise.all([expect(answer).rejects.toThrow(), sandbox.close()]);
    const [entry] = await sandbox.journal.waitFor(1, { where: ({ finishedAt }) => finishedAt !== undefined });
    expect(entry?.clientLeft).toBe(false);
  });
});

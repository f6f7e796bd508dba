import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainPicture, type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { goodFields, imageOf, type Posted, post } from './client.ts';

let sandbox: Sandbox;
let controlUrl: string;
beforeAll(async () => {
  sandbox = await startSandbox({ pictures: plainPicture({ width: 16, height: 16 }) });
  controlUrl = sandbox.baseUrl.replace(/\/v1$/, '/sandbox');
});
afterAll(() => sandbox.close());

const order = (orders: unknown): Promise<Posted> => post(controlUrl, orders, { path: '/behaviours' });

describe('the control surface', () => {
  it('queues behaviours', async () => {
    const bytes = Buffer.from('a picture').toString('base64');
    const answer = await order([
      { kind: 'status', status: 429 },
      { kind: 'picture', bytes },
    ]);
    expect(JSON.parse(answer.text)).toEqual({ queued: 2 });
    expect((await post(sandbox.baseUrl)).status).toBe(429);
    expect(imageOf((await post(sandbox.baseUrl)).text).picture.toString()).toBe('a picture');
    expect((await post(sandbox.baseUrl)).status).toBe(200);
  });

  it('sets a standing behaviour and takes it back', async () => {
    await order({ always: { kind: 'status', status: 503 } });
    expect((await post(sandbox.baseUrl)).status).toBe(503);
    expect((await post(sandbox.baseUrl)).status).toBe(503);
    await order({ always: null });
    expect((await post(sandbox.baseUrl)).status).toBe(200);
  });

  it('shows the journal, without itself and without the key, and clears it', async () => {
    await post(controlUrl, '', { path: '/journal', method: 'DELETE' });
    await post(sandbox.baseUrl);
    const { text } = await post(controlUrl, '', { path: '/journal', method: 'GET' });
    const journal = JSON.parse(text) as { entries: Record<string, unknown>[] };
    expect(text).not.toContain('sk-test');
    expect(journal.entries).toHaveLength(1);
    expect(journal.entries[0]).toMatchObject({ prompt: goodFields.prompt, body: JSON.stringify(goodFields) });
    expect(new Date(String(journal.entries[0]?.billedAt)).getTime()).toBeGreaterThan(0);
    await post(controlUrl, '', { path: '/journal', method: 'DELETE' });
    expect(sandbox.journal.entries).toEqual([]);
  });

  it('refuses what it does not understand, and then queues nothing', async () => {
    const unknown = await order([{ kind: 'status', status: 500 }, { kind: 'explode' }]);
    expect(unknown.status).toBe(400);
    expect(unknown.text).toContain('kind');
    expect((await order('[')).status).toBe(400);
    expect(
      (await post(controlUrl, '[]', { path: '/behaviours', headers: { 'content-type': 'text/plain' } }))
        .status,
    ).toBe(415);
    expect((await post(controlUrl, '', { path: '/toString' })).status).toBe(404);
    expect((await post(sandbox.baseUrl)).status).toBe(200);
  });
});

describe('startSandbox', () => {
  it('rejects where the port is taken', async () => {
    const port = Number(new URL(sandbox.baseUrl).port);
    await expect(startSandbox({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('closes at once, also twice, with requests open', async () => {
    const short = await startSandbox();
    short.behave({ kind: 'hang', at: 'before-headers' });
    const open = post(short.baseUrl);
    await short.journal.waitFor(1);
    await Promise.all([expect(open).rejects.toThrow(), short.close(), short.close()]);
    await expect(post(short.baseUrl)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeGeneration, makeImage } from '../../src/testing/made-up.ts';
import { payloadOf } from '../../src/webhooks/payload.ts';
import { signedHeaders, webhookSecretOf } from '../../src/webhooks/signing.ts';
import { MAX_TRIES } from '../../src/webhooks/verdict.ts';
import { freePort } from '../support/readme-gateway.ts';
import { pageOf, ROOT, sampleOf, tableOf } from '../support/readme-pages.ts';

const PAGE = 'docs/webhooks.md';

describe(`the receiver of ${PAGE}`, () => {
  const secret = webhookSecretOf('secret-of-the-gateway', 'client-1');
  let folder: string;
  let url: string;
  let child: ReturnType<typeof spawn>;
  let output = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gesso-receiver-'));
    // What a reader would have installed.
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'receiver.mts'), sampleOf(PAGE, 'ts', '// receiver.ts').text);
    const port = await freePort();
    url = `http://127.0.0.1:${port}/gesso`;
    child = spawn(process.execPath, ['receiver.mts'], {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: String(port), GESSO_SIGNING_SECRET: secret },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    await vi.waitFor(() => fetch(url), { timeout: 10_000, interval: 50 });
  });
  afterAll(async () => {
    const exited = once(child, 'exit');
    child.kill();
    await exited;
    await rm(folder, { recursive: true });
  });

  const post = async (body: string, headers: Record<string, string>): Promise<number> =>
    (await fetch(url, { method: 'POST', body, headers })).status;

  it('takes what the gateway has signed, once', async () => {
    const options = {
      globalId: (_typename: string, id: string) => id,
      imageUrl: () => 'https://example.com/1',
    };
    const body = JSON.stringify(payloadOf(makeGeneration(), makeImage(), options));
    const headers = signedHeaders({ id: 'webhook-1', body, secret }, new Date());
    expect(await post(body, headers)).toBe(204);
    expect(await post(body, headers)).toBe(204);
    await vi.waitFor(() => expect(output.match(/generation\.succeeded/g)).toHaveLength(1));
  });

  it('refuses what somebody else has made up, changed or kept', async () => {
    const body = '{"type":"generation.failed"}';
    const headers = signedHeaders({ id: 'webhook-2', body, secret }, new Date());
    const others = webhookSecretOf('secret-of-the-gateway', 'client-2');
    expect(await post(body, {})).toBe(400);
    expect(await post(`${body} `, headers)).toBe(400);
    expect(await post(body, { ...headers, 'webhook-id': 'webhook-3' })).toBe(400);
    expect(await post(body, signedHeaders({ id: 'webhook-2', body, secret: others }, new Date()))).toBe(400);
    const old = new Date(Date.now() - 6 * 60 * 1000);
    expect(await post(body, signedHeaders({ id: 'webhook-2', body, secret }, old))).toBe(400);
    expect(output).not.toContain('generation.failed');
  });
});

describe(PAGE, () => {
  it('shows a payload with the very fields that come', () => {
    const options = { globalId: () => '', imageUrl: () => '' };
    const shown = JSON.parse(sampleOf(PAGE, 'json', '{').text);
    const comes = payloadOf(makeGeneration(), makeImage(), options);
    const fieldsOf = (value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).map(([name, field]) => [name, fieldsOf(field)])
        : typeof value;
    expect(fieldsOf(shown)).toEqual(fieldsOf(comes));
  });

  it('has every type', () => {
    const options = { globalId: () => '', imageUrl: () => '' };
    const types = (['SUCCEEDED', 'FAILED', 'CANCELED', 'UNKNOWN'] as const).map((status) => [
      `\`${payloadOf(makeGeneration({ status }), undefined, options).type}\``,
      `\`${status}\``,
    ]);
    expect(tableOf(PAGE, 'What comes').map((row) => row.slice(0, 2))).toEqual(types);
  });

  it('says how often a message is tried', () => {
    expect(pageOf(PAGE).text).toContain(`After ${MAX_TRIES} tries`);
  });
});

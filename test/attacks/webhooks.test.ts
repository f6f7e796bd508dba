import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startGeneration } from '../support/background.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { type Receiver, startReceiver } from '../webhooks/support/receiver.ts';
import {
  startWebhookGateway,
  WEBHOOK_ENVIRONMENT,
  webhookLines,
  webhookSecret,
} from '../webhooks/support/webhook-gateway.ts';

/** It listens on every address of this machine, and counts who comes. */
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.reset());
afterAll(() => receiver.close());

const received = (count: number) =>
  vi.waitFor(() => expect(receiver.received).toHaveLength(count), { timeout: 10_000 });

/** Asks for an image, and waits until the audit trail has so many lines of its webhook. */
async function linesAfter(gateway: TestGateway, input: object, count: number): Promise<string[]> {
  const { generation } = await gateway.generateImage({ prompt: 'an image', ...input });
  return vi.waitFor(
    async () => {
      const lines = await webhookLines(gateway, generation?.id ?? '');
      expect(lines.length).toBeGreaterThanOrEqual(count);
      return lines.map(({ message }) => message);
    },
    { timeout: 10_000 },
  );
}

describe('a webhookUrl that leads into a private network', () => {
  let gateway: TestGateway;
  let addresses: string[];
  beforeAll(async () => {
    gateway = await startTestGateway({
      environment: WEBHOOK_ENVIRONMENT,
      // The rule of addresses is the real one, and the certificate would be trusted.
      webhooks: { lookup: async () => addresses, ca: receiver.ca, delaySeconds: () => 0 },
    });
  });
  afterAll(() => gateway.close());

  it('is never connected to, however often it is tried', async () => {
    addresses = ['127.0.0.1', '::1', '::ffff:127.0.0.1', '0.0.0.0', '169.254.169.254', '10.0.0.1'];
    const lines = await linesAfter(gateway, { webhookUrl: receiver.url }, 15);
    expect(lines).toHaveLength(15);
    for (const line of lines) expect(line).toMatch(/^hooks\.example\.com leads to no public address[,;] /);
    expect(lines.at(-1)).toContain('given up after 15 tries');
    expect(receiver.connections).toBe(0);
  });

  it('is not connected to by its one address, whichever that is', async () => {
    for (const address of ['127.0.0.1', '0.0.0.0', '::1', '::', '::ffff:7f00:1', '192.168.0.1', 'fd00::1']) {
      addresses = [address];
      const [line] = await linesAfter(gateway, { webhookUrl: receiver.url }, 1);
      expect(line).toContain('leads to no public address');
    }
    expect(receiver.connections).toBe(0);
  });
});

describe('a name that leads to another address at the second look (DNS rebinding)', () => {
  it('is not followed there', async () => {
    let looks = 0;
    const gateway = await startWebhookGateway(receiver, {
      // To this test 127.0.0.1 is of the public internet, and 127.0.0.2 is not.
      webhooks: { lookup: async () => [++looks === 1 ? '127.0.0.1' : '127.0.0.2'] },
    });
    try {
      receiver.answerWith((response) => void response.writeHead(503).end());
      const lines = await linesAfter(gateway, { webhookUrl: receiver.url }, 3);
      expect(lines[0]).toContain('answered HTTP 503, try 1;');
      for (const line of lines.slice(1)) expect(line).toContain('leads to no public address');
      expect(receiver.connections).toBe(1);
    } finally {
      await gateway.close();
    }
  });
});

describe('a webhookUrl', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startWebhookGateway(receiver);
  });
  afterAll(() => gateway.close());

  it.each([
    'http://hooks.example.com/',
    'https://evil.example/',
    'https://hooks.example.com.evil.example/',
    'https://hooks.example.com@evil.example/',
    'https://hooks.example.com./',
    'https://hooks.example.com:22/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://localhost/',
    'https://ｈooks.example.com/',
    'https://hooks。example.com/',
    'https://evil.example\\@hooks.example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
  ])('is refused before anything is claimed: %s', async (webhookUrl) => {
    const prompt = `never drawn: ${webhookUrl}`;
    const refused = { __typename: 'InvalidInputError', issues: [{ path: ['input', 'webhookUrl'] }] };
    expect(await gateway.generateImage({ prompt, webhookUrl })).toMatchObject(refused);
    expect(await startGeneration(gateway, { prompt, webhookUrl })).toMatchObject(refused);
    expect(await gateway.sql('select 1 from generations where prompt = $1', [prompt])).toEqual([]);
    expect(gateway.sandbox.journal.calls((call) => call.prompt === prompt)).toEqual([]);
  });

  it('with a token in it is in no log line and in no audit line', async () => {
    const secret = 'token-that-only-the-receiver-knows';
    const webhookUrl = `https://hooks.example.com:${receiver.port}/${secret}?key=${secret}`;
    receiver.answerWith(
      (response) => void response.writeHead(500, { location: webhookUrl }).end(secret),
      (response) => void response.destroy(),
      (response) => void response.writeHead(204).end(),
    );
    expect(await linesAfter(gateway, { webhookUrl }, 3)).toHaveLength(3);
    expect(receiver.received.every(({ path }) => path.includes(secret))).toBe(true);
    expect(gateway.logLines.join('')).not.toContain(secret);
    const [trail] = await gateway.sql<{ found: string }>(
      'select count(*)::text as found from audit_events where audit_events::text like $1',
      [`%${secret}%`],
    );
    expect(trail?.found).toBe('0');
  });

  it('carries no key of ours: none of the gateway, the upstream or the caller', async () => {
    await linesAfter(gateway, { webhookUrl: receiver.url }, 1);
    const sent = JSON.stringify(receiver.received);
    for (const secret of [gateway.key, 'sk-upstream', 'webhook-secret-of-the-tests', 'whsec_']) {
      expect(sent).not.toContain(secret);
    }
    expect(Object.keys(receiver.received[0]?.headers ?? {}).sort()).toEqual([
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'webhook-id',
      'webhook-signature',
      'webhook-timestamp',
    ]);
  });

  it('is not taken for several images at once', async () => {
    const { body } = await gateway.send(
      'mutation ($input: GenerateImagesInput!) { generateImages(input: $input) { __typename } }',
      { input: { prompt: 'several', count: 2, webhookUrl: receiver.url } },
    );
    expect(body.errors?.[0]?.message).toContain('webhookUrl');
  });
});

describe('the signing secret', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startWebhookGateway(receiver);
  });
  afterAll(() => gateway.close());

  it('of one client forges nothing to another', async () => {
    const [first, second] = [await gateway.createClient('first'), await gateway.createClient('second')];
    const [mine, theirs] = [await webhookSecret(first), await webhookSecret(second)];
    expect(mine).not.toBe(theirs);
    await first.generateImage({ prompt: 'mine', idempotencyKey: freshKey(), webhookUrl: receiver.url });
    await received(1);
    const [webhook] = receiver.received;
    const { body = '', headers = {} } = webhook ?? {};
    expect(new Webhook(mine).verify(body, headers)).toBeTruthy();
    expect(() => new Webhook(theirs).verify(body, headers)).toThrow('No matching signature');
  });

  it('does not tell of another client’s generation, though the idempotency key is the same', async () => {
    const [first, second] = [await gateway.createClient('third'), await gateway.createClient('fourth')];
    const input = { prompt: 'the same words', idempotencyKey: freshKey() };
    const mine = await first.generateImage(input);
    const theirs = await second.generateImage({ ...input, webhookUrl: receiver.url });
    expect(theirs.generation?.id).not.toBe(mine.generation?.id);
    await received(1);
    expect(JSON.parse(receiver.received[0]?.body ?? '').data.id).toBe(theirs.generation?.id);
  });

  it('is the same for all keys of a client, and shown to none that may not generate', async () => {
    const [first, second] = [await gateway.createClient('fifth'), await gateway.createClient('fifth')];
    expect(await webhookSecret(first)).toBe(await webhookSecret(second));
    const reader = await gateway.createClient('fifth', ['generations:read']);
    const { body } = await reader.send('{ viewer { webhookSecret } }');
    expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    expect(JSON.stringify(body)).not.toContain('whsec_');
  });

  it('is in no log line', async () => {
    const secret = await webhookSecret(gateway);
    await linesAfter(gateway, { webhookUrl: receiver.url }, 1);
    const log = gateway.logLines.join('');
    for (const part of [secret, secret.slice('whsec_'.length), 'webhook-secret-of-the-tests']) {
      expect(log).not.toContain(part);
    }
  });
});

describe('a gateway without GESSO_WEBHOOK_HOSTS', () => {
  it('refuses every webhookUrl, says why, and has no secret', async () => {
    const gateway = await startTestGateway();
    try {
      const result = await gateway.generateImage({ prompt: 'nobody is told', webhookUrl: receiver.url });
      expect(result).toMatchObject({
        __typename: 'InvalidInputError',
        issues: [
          { path: ['input', 'webhookUrl'], message: 'is not allowed: this gateway sends no webhooks.' },
        ],
      });
      expect(await webhookSecret(gateway)).toBeNull();
      expect(receiver.connections).toBe(0);
    } finally {
      await gateway.close();
    }
  });
});

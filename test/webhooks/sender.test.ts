import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createWebhookSender, type WebhookSenderOptions } from '../../src/webhooks/sender.ts';
import { webhookSecretOf } from '../../src/webhooks/signing.ts';
import { RECEIVER_HOST, type Receiver, startReceiver, status } from './support/receiver.ts';

const SECRET = webhookSecretOf('secret-of-the-gateway', 'client-1');
const message = { id: 'webhook-1', body: '{"type":"generation.succeeded"}', secret: SECRET };

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.reset());
afterAll(() => receiver.close());

/** A sender for which the receiver's host leads to loopback, which is allowed. */
const sender = (options: Partial<WebhookSenderOptions> = {}) =>
  createWebhookSender({
    now: () => new Date(),
    lookup: async () => ['127.0.0.1'],
    isAllowedAddress: (address) => address === '127.0.0.1',
    ca: receiver.ca,
    timeoutMs: 5_000,
    ...options,
  });

describe('a webhook', () => {
  it('is one POST of JSON that the receiver can verify', async () => {
    const outcome = await sender()(receiver.url, message);
    expect(outcome).toEqual({ kind: 'answered', httpStatus: 204, retryAfterSeconds: undefined });
    const [received, ...others] = receiver.received;
    expect(others).toEqual([]);
    expect(received).toMatchObject({
      method: 'POST',
      path: '/gesso?token=of-the-receiver',
      body: message.body,
      headers: {
        host: `${RECEIVER_HOST}:${receiver.port}`,
        'content-type': 'application/json',
        'user-agent': 'Gesso',
        'webhook-id': 'webhook-1',
      },
    });
    expect(new Webhook(SECRET).verify(received?.body ?? '', received?.headers ?? {})).toEqual({
      type: 'generation.succeeded',
    });
  });

  it('is told by the status, whatever that is', async () => {
    for (const code of [200, 299, 400, 410, 503]) {
      receiver.answerWith(status(code));
      expect(await sender()(receiver.url, message)).toMatchObject({ kind: 'answered', httpStatus: code });
    }
  });

  it('tells the seconds of a Retry-After, and leaves its dates alone', async () => {
    receiver.answerWith(status(503, { 'retry-after': '120' }));
    expect(await sender()(receiver.url, message)).toMatchObject({ retryAfterSeconds: 120 });
    for (const header of ['-1', '1.5', 'soon', '1e3', 'Wed, 21 Oct 2037 07:28:00 GMT']) {
      receiver.answerWith(status(503, { 'retry-after': header }));
      expect(await sender()(receiver.url, message)).toMatchObject({ retryAfterSeconds: undefined });
    }
  });

  it('does not follow a redirect', async () => {
    for (const code of [301, 302, 303, 307, 308]) {
      receiver.reset();
      receiver.answerWith(status(code, { location: `${receiver.url}&redirected` }));
      expect(await sender()(receiver.url, message)).toMatchObject({ httpStatus: code });
      expect(receiver.received).toHaveLength(1);
    }
  });

  it('has a connection of its own', async () => {
    for (let times = 0; times < 3; times++) await sender()(receiver.url, message);
    const send = sender();
    for (let times = 0; times < 3; times++) await send(receiver.url, message);
    expect(receiver.connections).toBe(6);
  });
});

describe('an answer', () => {
  it('that does not come is waited for no longer than the limit', async () => {
    receiver.answerWith(() => undefined);
    const startedAt = performance.now();
    expect(await sender({ timeoutMs: 300 })(receiver.url, message)).toEqual({
      kind: 'unanswered',
      reason: 'did not answer within 0.3 s',
    });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('whose headers come one by one is cut at the same limit', async () => {
    receiver.answerWith(({ socket }) => {
      socket?.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket?.write('X: y\r\n'), 20);
      socket?.on('error', () => undefined).on('close', () => clearInterval(timer));
    });
    const outcome = await sender({ timeoutMs: 300 })(receiver.url, message);
    expect(outcome).toEqual({ kind: 'unanswered', reason: 'did not answer within 0.3 s' });
  });

  it('that never comes to its end with news on the way (HTTP 1xx) is cut as well', async () => {
    receiver.answerWith((response) => {
      const timer = setInterval(() => response.writeProcessing(), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await sender({ timeoutMs: 300 })(receiver.url, message)).toMatchObject({ kind: 'unanswered' });
  });

  it('that would take over the connection is none', async () => {
    receiver.answerWith(({ socket }) => {
      socket?.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ftp\r\n\r\n');
    });
    expect(await sender()(receiver.url, message)).toMatchObject({ kind: 'unanswered' });
  });

  it('that goes on for ever is cut, and its status counts', async () => {
    let cut = false;
    let written = 0;
    receiver.answerWith((response) => {
      response.writeHead(200);
      const more = (): void => {
        if (response.destroyed) return;
        written += 16_384;
        response.write(Buffer.alloc(16_384), () => setImmediate(more));
      };
      response.on('close', () => {
        cut = true;
      });
      more();
    });
    expect(await sender()(receiver.url, message)).toMatchObject({ kind: 'answered', httpStatus: 200 });
    await vi.waitFor(() => expect(cut).toBe(true));
    // What was read, and what lay in the sockets' buffers.
    expect(written).toBeLessThan(8 * 1024 * 1024);
  });

  it('that drips is cut at the limit, and its status counts', async () => {
    receiver.answerWith((response) => {
      response.writeHead(202);
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const startedAt = performance.now();
    expect(await sender({ timeoutMs: 300 })(receiver.url, message)).toMatchObject({ httpStatus: 202 });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('that breaks off after its status is an answer; before it, none', async () => {
    receiver.answerWith((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    expect(await sender()(receiver.url, message)).toMatchObject({ kind: 'answered', httpStatus: 200 });
    receiver.answerWith((response) => void response.destroy());
    expect(await sender()(receiver.url, message)).toEqual({
      kind: 'unanswered',
      reason: 'could not be reached (ECONNRESET)',
    });
  });

  it('is no longer waited for when the gateway stops', async () => {
    const stopping = new AbortController();
    receiver.answerWith(() => stopping.abort());
    expect(await sender()(receiver.url, message, stopping.signal)).toEqual({
      kind: 'unanswered',
      reason: 'was cut off: the gateway stopped',
    });
  });
});

describe('a receiver', () => {
  it('whose certificate nobody vouches for gets nothing', async () => {
    expect(await sender({ ca: undefined })(receiver.url, message)).toEqual({
      kind: 'unanswered',
      reason: 'could not be reached (DEPTH_ZERO_SELF_SIGNED_CERT)',
    });
    expect(receiver.received).toEqual([]);
  });

  it('whose certificate nobody vouches for gets nothing, though the environment says not to look', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      expect(await sender({ ca: undefined })(receiver.url, message)).toMatchObject({ kind: 'unanswered' });
    } finally {
      vi.unstubAllEnvs();
    }
    expect(receiver.received).toEqual([]);
  });

  it('whose certificate is for another host gets nothing', async () => {
    const outcome = await sender()(`https://other.example.com:${receiver.port}/`, message);
    expect(outcome).toEqual({
      kind: 'unanswered',
      reason: 'could not be reached (ERR_TLS_CERT_ALTNAME_INVALID)',
    });
    expect(receiver.received).toEqual([]);
  });

  it('that is not there is told by its code, without the URL', async () => {
    const lookup = () => Promise.reject(Object.assign(new Error('no token'), { code: 'ENOTFOUND' }));
    expect(await sender({ lookup })(receiver.url, message)).toEqual({
      kind: 'unanswered',
      reason: 'could not be reached (ENOTFOUND)',
    });
    const odd = () => Promise.reject(Object.assign(new Error('token'), { code: 'token=of-the-receiver' }));
    expect(await sender({ lookup: odd })(receiver.url, message)).toEqual({
      kind: 'unanswered',
      reason: 'could not be reached',
    });
  });

  it('whose name is looked up for ever costs no more than the limit', async () => {
    const lookup = () => new Promise<string[]>(() => undefined);
    expect(await sender({ lookup, timeoutMs: 200 })(receiver.url, message)).toEqual({
      kind: 'unanswered',
      reason: 'did not answer within 0.2 s',
    });
  });
});

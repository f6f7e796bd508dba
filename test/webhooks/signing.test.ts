import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { signedHeaders, webhookSecretOf } from '../../src/webhooks/signing.ts';

describe('the signature of a webhook', () => {
  it('is as the reference implementations of Standard Webhooks test for', () => {
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      body: '{"test": 2432232314}',
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    };
    expect(signedHeaders(message, new Date(1614265330_000))).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is the same for bytes outside ASCII as the receivers’ library has it', () => {
    const secret = webhookSecretOf('secret-of-the-gateway', 'client-1');
    const body = JSON.stringify({ idempotencyKey: 'Straße 🎨' });
    const headers = signedHeaders({ id: 'id-1', body, secret }, new Date());
    expect(new Webhook(secret).verify(Buffer.from(body), headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(secret).verify(body.replace('ß', 'ss'), headers)).toThrow(
      'No matching signature',
    );
  });
});

describe('the signing secret of a client', () => {
  it('is the same on every replica, another one for another client, and another one of another gateway', () => {
    const secret = webhookSecretOf('secret-of-the-gateway', 'client-1');
    expect(webhookSecretOf('secret-of-the-gateway', 'client-1')).toBe(secret);
    expect(webhookSecretOf('secret-of-the-gateway', 'client-2')).not.toBe(secret);
    expect(webhookSecretOf('another-secret-of-a-gateway', 'client-1')).not.toBe(secret);
  });

  it('has the form and the length that Standard Webhooks asks for', () => {
    const [, prefix, base64 = ''] =
      /^(whsec_)(.+)$/.exec(webhookSecretOf('secret-of-the-gateway', 'client-1')) ?? [];
    expect(prefix).toBe('whsec_');
    const bytes = Buffer.from(base64, 'base64');
    expect(bytes.toString('base64')).toBe(base64);
    expect(bytes).toHaveLength(32);
  });
});

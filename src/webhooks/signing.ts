import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/**
 * The signing secret of a client's webhooks, as Standard Webhooks writes one: `whsec_` and base64. Made of the gateway's
 * one secret, so that there is nothing to keep; each client has another, so that none can forge a webhook to the next.
 */
export function webhookSecretOf(gatewaySecret: string, clientId: string): string {
  const key = createHmac('sha256', gatewaySecret).update(`gesso webhooks of client ${clientId}`);
  return `whsec_${key.digest('base64')}`;
}

/** One message to one receiver. */
export interface WebhookMessage {
  /** The same for every try, so that receivers can tell a message that comes twice. No `.` in it. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** `whsec_…`, the receiver's. */
  readonly secret: string;
}

/** The headers that prove a message: https://github.com/standard-webhooks/standard-webhooks, "Webhook headers". */
export const signedHeaders = ({ id, body, secret }: WebhookMessage, sentAt: Date) => ({
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
  'webhook-signature': new Webhook(secret).sign(id, sentAt, body),
});

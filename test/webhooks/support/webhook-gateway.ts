import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../../support/gateway.ts';
import { leadingTo } from './leading-to.ts';
import { RECEIVER_HOST, type Receiver } from './receiver.ts';

export const WEBHOOK_ENVIRONMENT = {
  GESSO_WEBHOOK_HOSTS: `${RECEIVER_HOST},*.example.org`,
  GESSO_WEBHOOK_SECRET: 'webhook-secret-of-the-tests',
};

/** A whole gateway for which the receiver's host leads to loopback, which is allowed, and which doesn't wait to retry. */
export const startWebhookGateway = (
  receiver: Receiver,
  { environment = {}, webhooks = {}, ...options }: TestGatewayOptions = {},
): Promise<TestGateway> =>
  startTestGateway({
    ...options,
    environment: { ...WEBHOOK_ENVIRONMENT, ...environment },
    webhooks: { ...leadingTo(receiver.ca), delaySeconds: () => 0, ...webhooks },
  });

/** What the audit trail says of the webhooks of a generation, oldest first; by the API, to a caller who may read it. */
export async function webhookLines(
  gateway: Pick<TestGateway, 'query'>,
  generationId: string,
): Promise<{ action: string; message: string }[]> {
  const { auditEvents } = await gateway.query<{
    auditEvents: { edges: { node: { action: string; message: string } }[] };
  }>(
    `query ($generationId: ID!) {
      auditEvents(first: 100, filter: { generationId: $generationId, actions: [WEBHOOK_DELIVERED, WEBHOOK_FAILED] }) {
        edges { node { action message } }
      }
    }`,
    { generationId },
  );
  return auditEvents.edges.map(({ node }) => node).reverse();
}

/** What a client's webhooks are signed with. */
export async function webhookSecret(gateway: Pick<TestGateway, 'query'>): Promise<string> {
  const { viewer } = await gateway.query<{ viewer: { webhookSecret: string } }>(
    '{ viewer { webhookSecret } }',
  );
  return viewer.webhookSecret;
}

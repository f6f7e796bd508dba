import { encodeGlobalID } from '@pothos/plugin-relay';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Image } from '../generation.ts';
import { CHANNELS, type Notifications } from '../ledger/notifications.ts';
import type { WebhookJobs } from '../ledger/webhook-jobs.ts';
import { type Courier, createCourier } from '../webhooks/courier.ts';
import { payloadOf } from '../webhooks/payload.ts';
import { createWebhookSender, type WebhookSenderOptions } from '../webhooks/sender.ts';
import { webhookSecretOf } from '../webhooks/signing.ts';
import type { VerdictOptions } from '../webhooks/verdict.ts';

/** What a test may have otherwise, and no setting: with it, webhooks reach where they must not. */
export type WebhookTestOptions = Pick<
  WebhookSenderOptions,
  'lookup' | 'isAllowedAddress' | 'ca' | 'timeoutMs'
> &
  Pick<VerdictOptions, 'delaySeconds'>;

export interface WebhookCourierOptions {
  readonly config: Config;
  readonly jobs: WebhookJobs;
  readonly notifications: Notifications;
  /** A signed URL of the original, of the configured lifetime. */
  readonly imageUrl: (image: Image) => string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly testing: WebhookTestOptions;
}

/** What each client's webhooks are signed with; undefined where none are sent. */
export const webhookSecrets =
  ({ webhookHosts, webhookSecret }: Config) =>
  (clientId: string): string | undefined =>
    webhookHosts === undefined || webhookSecret === undefined
      ? undefined
      : webhookSecretOf(webhookSecret, clientId);

/** The courier, with everything that it needs for its messages; undefined where no webhooks are sent. */
export function createWebhookCourier(options: WebhookCourierOptions): Courier | undefined {
  const { config, jobs, notifications, imageUrl, clock, log, testing } = options;
  const { webhookHosts: hosts, webhookSecret: secret } = config;
  if (hosts === undefined || secret === undefined) return undefined;
  const { delaySeconds, ...transport } = testing;
  const courier = createCourier({
    jobs,
    send: createWebhookSender({ now: clock.now, ...transport }),
    hosts,
    secretOf: (clientId) => webhookSecretOf(secret, clientId),
    bodyOf: ({ generation, image }) =>
      JSON.stringify(payloadOf(generation, image, { globalId: encodeGlobalID, imageUrl })),
    verdicts: { random: Math.random, delaySeconds },
    clock,
    onError: (error, generationId) => log.warn({ err: error, generationId }, 'the webhooks met an error'),
  });
  notifications.on(CHANNELS.webhooks, courier.wake);
  notifications.onResume(courier.wake);
  return courier;
}

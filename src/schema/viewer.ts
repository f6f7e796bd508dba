import type { Principal } from '../generation.ts';
import { endOfUtcDay, utcDay } from '../ledger/quota.ts';
import { builder } from './builder.ts';
import { ClientRef } from './client.ts';

const QuotaRef = builder.objectRef<{ limit: number; remaining: number; resetAt: Date }>('Quota').implement({
  description: 'Images that an API key may have made in a UTC day.',
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'Images allowed per UTC day.' }),
    remaining: t.exposeInt('remaining', { description: 'Images left today.' }),
    resetAt: t.expose('resetAt', { type: 'DateTime', description: 'When the next day begins.' }),
  }),
});

const ViewerRef = builder.objectRef<Principal>('Viewer').implement({
  description: 'The caller, as its API key proves it. A client always reads its own generations and images.',
  fields: (t) => ({
    client: t.field({
      type: ClientRef,
      description: 'The application that the API key belongs to.',
      resolve: ({ clientId, clientName }) => ({ id: clientId, name: clientName }),
    }),
    scopes: t.field({
      type: ['String'],
      description:
        'Of `images:generate`, `generations:read`, `audit:read`, `usage:read`, `admin` (implies all).',
      resolve: ({ scopes }) => [...scopes],
    }),
    webhookSecret: t.string({
      nullable: true,
      description:
        'What the webhooks of this client are signed with, for Standard Webhooks libraries: `whsec_…`. Null where the gateway sends none. Needs scope `images:generate`.',
      authScopes: { scope: 'images:generate' },
      resolve: ({ clientId }, _arguments, { gateway }) => gateway.webhookSecret(clientId),
    }),
    quota: t.field({
      type: QuotaRef,
      nullable: true,
      description: 'Of the API key; null where it has no limit.',
      async resolve({ apiKeyId, imagesPerDay }, _arguments, { read, gateway }) {
        if (apiKeyId === undefined || imagesPerDay === undefined) return null;
        const used = await read.quotaUsed(apiKeyId);
        return {
          limit: imagesPerDay,
          remaining: Math.max(imagesPerDay - used, 0),
          resetAt: endOfUtcDay(utcDay(gateway.now())),
        };
      },
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerRef,
    nullable: true,
    description: 'Who is calling.',
    authScopes: { authenticated: true },
    resolve: (_root, _arguments, { principal }) => principal,
  }),
);

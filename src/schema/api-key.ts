import { checkNewApiKey } from '../api-key-rules.ts';
import { SCOPES } from '../generation.ts';
import type { ApiKey } from '../ledger/api-keys.ts';
import { builder } from './builder.ts';
import { ClientRef } from './client.ts';
import { connectionOf } from './connection.ts';
import type { Context } from './context.ts';
import { InvalidInputErrorRef, invalidInputOf } from './generate-image-result.ts';
import { inOrder, localId } from './ids.ts';
import { connectionTypes } from './relay-words.ts';
import { typenameOf, UserErrorRef } from './user-error.ts';

const ApiKeyRef = builder.loadableNodeRef('ApiKey', {
  id: { resolve: (key: ApiKey) => key.id },
  load: (ids: string[], { read }: Context): Promise<ApiKey[]> => inOrder(ids, read.apiKeysById),
});

builder.objectType(ApiKeyRef, {
  description: 'A key that a client calls with. Only its hash is kept.',
  fields: (t) => ({
    client: t.field({
      type: ClientRef,
      description: 'The application that calls with it.',
      resolve: ({ clientId }) => clientId,
    }),
    scopes: t.field({
      type: ['String'],
      description: 'What it may do.',
      resolve: ({ scopes }) => [...scopes],
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stopped working.',
    }),
    imagesPerDay: t.exposeInt('imagesPerDay', {
      nullable: true,
      description: 'Images in a UTC day; null where there is no limit.',
    }),
  }),
});

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new API key.',
  fields: (t) => ({
    clientName: t.string({
      required: true,
      description: 'The client is made if there is none of this name.',
    }),
    scopes: t.stringList({
      required: true,
      description: `Any of ${SCOPES.map((s) => `\`${s}\``).join(', ')}.`,
    }),
    imagesPerDay: t.int({ description: 'Left out: no limit.' }),
  }),
});

const CreateApiKeySuccessRef = builder
  .objectRef<{ apiKey: ApiKey; secret: string }>('CreateApiKeySuccess')
  .implement({
    description: 'The key works from now on, on every replica.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKeyRef, description: 'The new key, without its secret.' }),
      secret: t.exposeString('secret', { description: 'Shown this once; only its hash is kept.' }),
    }),
  });

const CreateApiKeyResult = builder.unionType('CreateApiKeyResult', {
  description: 'How the making of a key ended.',
  types: [CreateApiKeySuccessRef, InvalidInputErrorRef],
  resolveType: typenameOf,
});

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Which key to revoke.',
  fields: (t) => ({ id: t.id({ required: true, description: 'As `ApiKey.id` gave it.' }) }),
});

const RevokeApiKeySuccessRef = builder.objectRef<{ apiKey: ApiKey }>('RevokeApiKeySuccess').implement({
  description: 'The key no longer works, on any replica.',
  fields: (t) => ({ apiKey: t.expose('apiKey', { type: ApiKeyRef, description: 'The revoked key.' }) }),
});

const ApiKeyNotFoundErrorRef = builder
  .objectRef<{ message: string; retryable: boolean }>('ApiKeyNotFoundError')
  .implement({ description: 'There is no key with this id.', interfaces: [UserErrorRef] });

const RevokeApiKeyResult = builder.unionType('RevokeApiKeyResult', {
  description: 'How the revoking of a key ended.',
  types: [RevokeApiKeySuccessRef, ApiKeyNotFoundErrorRef],
  resolveType: typenameOf,
});

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreateApiKeyResult,
    description: 'Make an API key; its secret is shown this once. Needs scope `admin`.',
    authScopes: { scope: 'admin' },
    args: { input: t.arg({ type: CreateApiKeyInput, required: true }) },
    async resolve(_root, { input }, { gateway, requestId }) {
      try {
        const key = checkNewApiKey({ ...input, imagesPerDay: input.imagesPerDay ?? undefined });
        return { __typename: 'CreateApiKeySuccess', ...(await gateway.createApiKey({ ...key, requestId })) };
      } catch (error) {
        return invalidInputOf(error);
      }
    },
  }),
  revokeApiKey: t.field({
    type: RevokeApiKeyResult,
    description: 'Revoke an API key: it stops working at once, on every replica. Needs scope `admin`.',
    authScopes: { scope: 'admin' },
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true }) },
    async resolve(_root, { input }, { gateway, requestId }) {
      const id = localId('ApiKey', input.id);
      const apiKey = id === undefined ? undefined : await gateway.revokeApiKey(id, requestId);
      return apiKey === undefined
        ? {
            __typename: 'ApiKeyNotFoundError',
            message: 'There is no API key with this id.',
            retryable: false,
          }
        : { __typename: 'RevokeApiKeySuccess', apiKey };
    },
  }),
}));

builder.queryField('apiKeys', (t) =>
  t.connection(
    {
      type: ApiKeyRef,
      nullable: true,
      description: 'All API keys, newest first. Needs scope `admin`.',
      authScopes: { scope: 'admin' },
      resolve: (_root, args, { read }) => connectionOf(args, read.listApiKeys),
    },
    ...connectionTypes('ApiKey', 'API keys'),
  ),
);

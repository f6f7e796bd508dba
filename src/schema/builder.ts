import SchemaBuilder from '@pothos/core';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { ForbiddenError, InvalidInputError, UnauthenticatedError } from '../errors.ts';
import { hasScope, type Scope } from '../generation.ts';
import type { Context } from './context.ts';
import { decodeNodeId } from './ids.ts';
import { RELAY_WORDS } from './relay-words.ts';

/** How many nodes are found at once: a page of a list has no more. */
export const MAX_NODES = 100;

/** The schema's ground. It defines no type: each has a file of its own. */
export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  AuthScopes: { authenticated: boolean; scope: Scope };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    URL: { Input: string; Output: string };
    Base64String: { Input: string; Output: string };
  };
}>({
  defaultFieldNullability: false,
  plugins: [ScopeAuthPlugin, RelayPlugin, DataloaderPlugin],
  relay: {
    ...RELAY_WORDS,
    cursorType: 'String',
    clientMutationId: 'omit',
    decodeGlobalID: decodeNodeId,
    nodeQueryOptions: {
      description: 'A node by its id; null where there is none that the caller may see.',
      authScopes: { authenticated: true },
      args: { id: { description: 'As the field `id` of any node gave it.' } },
    },
    nodesQueryOptions: {
      description: 'Nodes by their ids, in this order; null in the place of what the caller may not see.',
      authScopes: { authenticated: true },
      args: { ids: { description: `As the field \`id\` of any nodes gave them; ${MAX_NODES} at most.` } },
      resolve(_root, { ids }, _context, _info, findNodes) {
        if (ids.length > MAX_NODES) {
          throw new InvalidInputError([{ path: ['ids'], message: `takes ${MAX_NODES} at most.` }]);
        }
        return findNodes(ids);
      },
    },
    edgesFieldOptions: { nullable: false, description: 'In order.' },
    nodeFieldOptions: { nullable: false, description: 'What is there.' },
  },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ principal }) => ({
      authenticated: principal !== undefined,
      scope: (scope) => principal !== undefined && hasScope(principal, scope),
    }),
    unauthorizedError: (_parent, { principal, requestId, gateway }, info) => {
      if (principal === undefined) {
        return new UnauthenticatedError('This needs an API key: `Authorization: Bearer <key>`.');
      }
      const message = `This API key lacks the scope that \`${info.parentType.name}.${info.fieldName}\` needs.`;
      if (/^(generateImages?|startGeneration)$/.test(info.fieldName)) {
        gateway.recordDenied({
          action: 'GENERATION_DENIED',
          requestId,
          clientId: principal.clientId,
          message,
        });
      }
      return new ForbiddenError(message);
    },
  },
});

builder.queryType({ description: 'Reads. Nothing here is billed.' });
builder.mutationType({ description: 'Writes. Images are billed by their provider.' });
builder.subscriptionType({
  description: 'What is told as it happens, by server-sent events or by WebSocket (graphql-transport-ws).',
});

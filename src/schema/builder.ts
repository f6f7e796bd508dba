import SchemaBuilder from '@pothos/core';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { ForbiddenError, UnauthenticatedError } from '../errors.ts';
import { hasScope, type Scope } from '../generation.ts';
import type { Context } from './context.ts';

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
    cursorType: 'String',
    clientMutationId: 'omit',
    nodeQueryOptions: { authScopes: { authenticated: true } },
    nodesQueryOptions: { authScopes: { authenticated: true } },
    edgesFieldOptions: { nullable: false },
    nodeFieldOptions: { nullable: false },
  },
  scopeAuth: {
    authScopes: ({ principal }) => ({
      authenticated: principal !== undefined,
      scope: (scope) => principal !== undefined && hasScope(principal, scope),
    }),
    unauthorizedError: (_parent, { principal, requestId, gateway }, info) => {
      if (principal === undefined) {
        return new UnauthenticatedError('This needs an API key: `Authorization: Bearer <key>`.');
      }
      const message = `This API key lacks the scope that \`${info.parentType.name}.${info.fieldName}\` needs.`;
      if (/^generateImages?$/.test(info.fieldName)) {
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

builder.queryType({});
builder.mutationType({});

import type { addResolversToSchema } from '@graphql-tools/schema';
import { type DocumentNode, defaultFieldResolver } from 'graphql';
import { ForbiddenError, UnauthenticatedError } from '../errors.ts';
import { hasScope } from '../generation.ts';
import type { Context } from './context.ts';
import type { SchemaExtension } from './extension.ts';
import { forPlugins } from './extension-context.ts';
import { fieldsOf } from './extension-rules.ts';

type Resolvers = Parameters<typeof addResolversToSchema>[0]['resolvers'];
type Call = (...args: unknown[]) => unknown;

const ROOTS = new Set(['Query', 'Mutation', 'Subscription']);

/**
 * The resolvers as they are put into the schema: each sees of a request what is made for plug-ins, and those of root
 * fields are reached by whom the extension says.
 */
export function guardedResolvers(extension: SchemaExtension, document: DocumentNode): Resolvers {
  const fields = fieldsOf(document);
  const given = (extension.resolvers ?? {}) as Record<string, Record<string, unknown>>;
  const guarded: Record<string, unknown> = { ...given };
  for (const [typeName, names] of fields) {
    const own: Record<string, unknown> = {};
    for (const [name, resolver] of Object.entries(given[typeName] ?? {})) {
      // `__isTypeOf`: it has the context in another place than fields have.
      if (name.startsWith('__') && typeof resolver === 'function') own[name] = seeing(resolver as Call, 1);
    }
    for (const name of names) {
      const mayCall = ROOTS.has(typeName) ? gateOf(extension, `${typeName}.${name}`) : () => undefined;
      own[name] = guardedField(given[typeName]?.[name], mayCall);
    }
    guarded[typeName] = { ...given[typeName], ...own };
  }
  for (const [typeName, resolvers] of Object.entries(given)) {
    const { __resolveType: resolveType } = resolvers;
    if (typeof resolveType !== 'function') continue;
    guarded[typeName] = { ...resolvers, __resolveType: seeing(resolveType as Call, 1) };
  }
  return guarded as Resolvers;
}

type Gate = (context: Context) => void;

/** Throws where the caller may not use the field. */
const gateOf =
  ({ public: isPublic = false, scope }: SchemaExtension, place: string): Gate =>
  ({ principal }) => {
    if (isPublic) return;
    if (principal === undefined) {
      throw new UnauthenticatedError('This needs an API key: `Authorization: Bearer <key>`.');
    }
    if (scope !== undefined && !hasScope(principal, scope)) {
      throw new ForbiddenError(`This API key lacks the scope that \`${place}\` needs.`);
    }
  };

function guardedField(resolver: unknown, mayCall: Gate): unknown {
  if (typeof resolver !== 'object' || resolver === null) {
    // A property that is a function is called with the context too.
    return seeing((resolver ?? defaultFieldResolver) as Call, 2, mayCall);
  }
  const { resolve = defaultFieldResolver, subscribe, ...rest } = resolver as Record<string, unknown>;
  return {
    ...rest,
    resolve: seeing(resolve as Call, 2, mayCall),
    ...(subscribe === undefined ? {} : { subscribe: seeing(subscribe as Call, 2, mayCall) }),
  };
}

/** Lets a function see what is made for plug-ins, in the place of the whole context. */
const seeing =
  (call: Call, place: number, mayCall: Gate = () => undefined): Call =>
  (...args) => {
    const context = args[place] as Context;
    mayCall(context);
    return call(...args.with(place, forPlugins(context)));
  };

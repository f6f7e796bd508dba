import { GraphQLError } from 'graphql';
import { keyOf } from './persisted-manifest.ts';

/** Of a GraphQL request, as it came: nothing in it is checked. */
export interface RequestParameters {
  readonly query?: unknown;
  /** https://github.com/graphql/graphql-over-http, appendix "Persisted Documents". */
  readonly documentId?: unknown;
  /** `persistedQuery` in it: https://www.apollographql.com/docs/apollo-server/performance/apq */
  readonly extensions?: unknown;
}

/**
 * The key of the document that a request names, by the draft's way or by Apollo's; undefined where it names none.
 * @throws {GraphQLError} for an identifier that is malformed, and for two that differ.
 */
export function identifierOf({ documentId, extensions }: RequestParameters): string | undefined {
  const given = [documentId ?? undefined, hashOf(extensions)].filter((id) => id !== undefined);
  const keys = given.map((id) => {
    if (typeof id !== 'string') throw badRequest('The identifier of a document must be text.');
    return keyOf(id);
  });
  const [key] = keys;
  if (keys.some((other) => other !== key)) throw badRequest('The request names two documents.');
  return key;
}

function hashOf(extensions: unknown): unknown {
  const persisted = isObject(extensions) ? extensions.persistedQuery : undefined;
  if (persisted === undefined || persisted === null) return undefined;
  if (!isObject(persisted) || persisted.version !== 1) {
    throw badRequest('Of persisted queries, version 1 is spoken here.');
  }
  return persisted.sha256Hash ?? null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

export const badRequest = (message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });

import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { sha256Hex } from '../ledger/api-keys.ts';
import type { Context } from '../schema/context.ts';
import { identifierOf, type RequestParameters } from './persisted-identifier.ts';
import { createTextCache } from './text-cache.ts';

/** Of the texts of all clients together, with what finding them takes, in UTF-16 units: 4 MB at most. */
const KEPT_LENGTH = 2_000_000;

export interface PersistedDocumentsOptions {
  /** Documents by their keys: see `keyOf`. */
  readonly trusted: ReadonlyMap<string, string>;
  /** Whether all others are refused. */
  readonly trustedOnly: boolean;
}

/**
 * Finds the document that a request names, in the manifest or among those that clients sent before with their hash
 * (Apollo's automatic persisted queries). What is found is parsed, validated and counted like any document.
 *
 * Yoga has plug-ins for both. Its `useAPQ` keeps what nobody parsed, of any length and from anybody, for 36 seconds;
 * its `usePersistedOperations` sees no `documentId` of a GET.
 */
export function createPersistedDocuments({ trusted, trustedOnly }: PersistedDocumentsOptions) {
  const kept = createTextCache<string>({ maxLength: KEPT_LENGTH });
  /** What is to be kept once it proves valid, by the request's context. */
  const candidates = new WeakMap<object, { readonly key: string; readonly text: string }>();

  function lookUp(key: string): string {
    const text = trusted.get(key) ?? (trustedOnly ? undefined : kept.get(key));
    if (text !== undefined) return text;
    throw trustedOnly ? notInList() : notFound();
  }

  /**
   * The parameters with the text of the document in `query`.
   * @throws {GraphQLError} for one that is unknown, is not what its hash says, or may not be run.
   */
  function withText<Parameters extends RequestParameters>(
    { documentId, ...parameters }: Parameters,
    context: Context,
  ): Omit<Parameters, 'documentId'> & { readonly query?: unknown } {
    const { query, extensions } = parameters;
    const key = identifierOf({ documentId, extensions });
    if (typeof query === 'string' && query !== '') {
      if (!trustedOnly && key === undefined) return parameters;
      const hash = sha256Hex(query);
      if (key !== undefined && key !== hash && trusted.get(key) !== query) throw mismatch();
      if (trustedOnly && !trusted.has(hash)) throw notInList();
      // Strangers run next to nothing, and need no memory for it.
      const isCandidate = key === hash && !trusted.has(hash) && context.principal !== undefined;
      if (isCandidate) candidates.set(context, { key, text: query });
      return parameters;
    }
    const isLeftOut = query === undefined || query === null || query === '';
    if (isLeftOut && key !== undefined) return { ...parameters, query: lookUp(key) };
    if (trustedOnly) throw notInList();
    // Without a text, or with one that is none: Yoga says so.
    return parameters;
  }

  const plugin: Plugin = {
    onParams({ params, setParams, context }) {
      setParams(withText(params, context as unknown as Context) as typeof params);
    },
    onValidate({ context }) {
      return ({ valid }) => {
        const candidate = candidates.get(context);
        if (!valid || candidate === undefined) return;
        kept.set(candidate.key, candidate.text, candidate.text.length);
      };
    },
  };
  return { withText, plugin };
}

/** The words and codes of Apollo's protocol: clients that read it send the text next. */
const notFound = () =>
  new GraphQLError('PersistedQueryNotFound', {
    extensions: {
      code: 'PERSISTED_QUERY_NOT_FOUND',
      // The next answer of the same URL may be another.
      http: { spec: true, status: 404, headers: { 'Cache-Control': 'no-store' } },
    },
  });

const mismatch = () =>
  new GraphQLError('The identifier is not that of the document.', {
    extensions: { code: 'PERSISTED_QUERY_MISMATCH', http: { status: 400 } },
  });

/** Not "not found": the text would not be taken either. */
const notInList = () =>
  new GraphQLError('Only persisted documents are run here; this is none of them.', {
    extensions: { code: 'PERSISTED_QUERY_NOT_IN_LIST', http: { status: 400 } },
  });

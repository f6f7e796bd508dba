import type { DocumentNode } from 'graphql';

/**
 * A parsed operation that knows the types of its result and its variables. Structurally that of
 * `@graphql-typed-document-node/core`, which GraphQL Code Generator and gql.tada make.
 */
export interface TypedDocumentNode<Result, Variables> extends DocumentNode {
  /** Never there: it only carries the types. */
  __apiType?: (variables: Variables) => Result;
}

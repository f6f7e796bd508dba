import type { GraphQLSchema } from 'graphql';
import type { ExtendingPlugin } from './extension.ts';
import { extendWith } from './extensions.ts';
import { asSubgraph } from './federation.ts';
import { schema } from './index.ts';

export interface SchemaOptions {
  /** Plug-ins that may add to it, in this order. */
  readonly extensions: readonly ExtendingPlugin[];
  /** Whether routers of Apollo Federation 2 are served too. */
  readonly subgraph: boolean;
  /** Whether a subgraph publishes `Query.node` and `nodes`. @default true */
  readonly nodeQueries?: boolean;
}

/**
 * The schema as one gateway serves it; the very same as `schema` where nothing is added.
 * @throws {ConfigError} that names the plug-in whose extension does not fit.
 */
export function buildSchema({ extensions, subgraph, nodeQueries = true }: SchemaOptions): GraphQLSchema {
  const extended = extendWith(schema, extensions);
  return subgraph ? asSubgraph(extended, { nodeQueries }) : extended;
}

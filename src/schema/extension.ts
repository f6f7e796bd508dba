import type { GraphQLResolveInfo, GraphQLScalarType } from 'graphql';
import type { Generation, Image, Principal, Scope } from '../generation.ts';
import type { Client } from '../ledger/clients.ts';
import type { GenerationFilter } from '../ledger/generations.ts';

/** What a plug-in adds to the schema. */
export interface SchemaExtension {
  /**
   * SDL: new types, and `extend type` of those that are there. What is there stays as it is, and types other than objects
   * can't be extended: nobody would look at a new field of an input.
   */
  readonly typeDefs: string;
  /**
   * Resolvers of the fields in `typeDefs`, by type and field, as graphql-tools has them. Each new field of `Query`,
   * `Mutation` and `Subscription` needs one; any other is, without one, the property of its name.
   */
  readonly resolvers?: SchemaResolvers;
  /** Whether callers need no API key for the new fields of `Query`, `Mutation` and `Subscription`. @default false */
  readonly public?: boolean;
  /** What the caller's API key must have for those fields. */
  readonly scope?: Scope;
}

/** One GraphQL request, as resolvers of plug-ins see it. */
export interface ExtensionContext {
  /** Who calls; undefined without a key. */
  readonly principal: Principal | undefined;
  /** Also the `X-Request-Id` response header. */
  readonly requestId: string;
  /** Aborted when the caller hung up. */
  readonly signal: AbortSignal;
  readonly read: ExtensionReads;
  /**
   * A signed URL of the original, good for so many seconds, 1 to 604,800 (a week); left out: as configured.
   * @throws {InvalidInputError} for any other number
   */
  imageUrl(image: Image, expiresInSeconds?: number): string;
}

/**
 * The ledger, as far as the caller may see it: what it may not see is left out. Each call is one SQL statement. Ids are those
 * of the nouns, and not the global ones of clients.
 */
export interface ExtensionReads {
  /** In any order. */
  generationsById(ids: readonly string[]): Promise<readonly Generation[]>;
  /** In any order. */
  imagesById(ids: readonly string[]): Promise<readonly Image[]>;
  /** By generation; one that has no image is left out. */
  imagesOf(generationIds: readonly string[]): Promise<ReadonlyMap<string, Image>>;
  /** Newest first, `limit` at most. */
  newestGenerations(filter: GenerationFilter, limit: number): Promise<readonly Generation[]>;
}

/**
 * What a field is. The arguments have the types that the SDL gives them, which TypeScript can't know: annotate them.
 *
 * A `GatewayError` (`NotFoundError`, `ForbiddenError`, `InvalidInputError`, …) or a `GraphQLError` is told to the client;
 * anything else that is thrown is logged, and masked.
 */
export type FieldResolver<Parent> = (
  parent: Parent,
  args: never,
  context: ExtensionContext,
  info: GraphQLResolveInfo,
) => unknown;

export interface SubscriptionResolver {
  readonly subscribe: (
    root: unknown,
    args: never,
    context: ExtensionContext,
    info: GraphQLResolveInfo,
  ) => AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>;
  /** From what is told to the field's value. @default the property of the field's name */
  readonly resolve?: FieldResolver<never>;
}

export type FieldResolvers<Parent> = Readonly<
  Record<string, FieldResolver<Parent> | { readonly resolve: FieldResolver<Parent> }>
>;

export interface SchemaResolvers {
  readonly Query?: FieldResolvers<unknown>;
  readonly Mutation?: FieldResolvers<unknown>;
  readonly Subscription?: Readonly<Record<string, SubscriptionResolver>>;
  readonly Image?: FieldResolvers<Image>;
  readonly Generation?: FieldResolvers<Generation>;
  readonly Client?: FieldResolvers<Client>;
  /** Of any other type; `__resolveType` of an interface or a union, values of an enum, a scalar. */
  readonly [type: string]: OtherResolvers | undefined;
}
type OtherResolvers = GraphQLScalarType | Readonly<Record<string, OtherResolver>>;
type OtherResolver =
  | FieldResolver<never>
  | { readonly resolve?: FieldResolver<never>; readonly subscribe?: SubscriptionResolver['subscribe'] }
  | string
  | number;

/** A plug-in, as far as the schema is concerned. */
export interface ExtendingPlugin {
  readonly name: string;
  readonly schema?: SchemaExtension | readonly SchemaExtension[];
}

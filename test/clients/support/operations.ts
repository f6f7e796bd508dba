/** A document that every client sends as it is. Its name is also the name of its file, which Relay's compiler asks for. */
export interface Operation<Result, Variables extends object> {
  readonly name: string;
  readonly text: string;
  /** Never there: it carries the types. */
  readonly types?: (variables: Variables) => Result;
}

export type ResultOf<Of> = Of extends Operation<infer Result, never> ? Result : never;

function operation<Result, Variables extends object>(text: string): Operation<Result, Variables> {
  const name = /^(?:query|mutation|subscription) (\w+)/.exec(text)?.[1];
  if (name === undefined) throw new Error(`This operation has no name: ${text}`);
  return { name, text };
}

/** What the tests read of a generation. */
export interface GenerationSeen {
  readonly id: string;
  readonly status: string;
  readonly image: { readonly id: string; readonly url: string; readonly sha256: string } | null;
}

export const GENERATION = 'id status image { id url sha256 }';

export interface GenerateImageInput {
  readonly prompt: string;
  readonly size?: string;
  readonly idempotencyKey?: string;
  readonly delivery?: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE';
  readonly waitSeconds?: number;
}

interface UserError {
  readonly message: string;
  readonly retryable: boolean;
}
interface Failed extends UserError {
  readonly failedGeneration: GenerationSeen;
}

/** The union, as its `__typename` tells its members apart. */
export type GenerateImageResult =
  | {
      readonly __typename: 'GenerateImageSuccess';
      readonly replayed: boolean;
      readonly image: {
        readonly id: string;
        readonly url: string;
        readonly width: number;
        readonly height: number;
      };
      readonly generation: GenerationSeen;
    }
  | { readonly __typename: 'GenerationPending'; readonly generation: GenerationSeen }
  | (UserError & {
      readonly __typename: 'InvalidInputError';
      readonly issues: readonly { readonly path: readonly string[]; readonly message: string }[];
    })
  | (UserError & {
      readonly __typename: 'IdempotencyConflictError';
      readonly existingGeneration: GenerationSeen;
    })
  | (UserError & { readonly __typename: 'QuotaExceededError'; readonly resetAt: string })
  | (Failed & { readonly __typename: 'ContentPolicyError' })
  | (Failed & { readonly __typename: 'ProviderRejectedError'; readonly providerCode: string | null })
  | (Failed & { readonly __typename: 'ProviderUnavailableError'; readonly retryAfterSeconds: number | null })
  | (Failed & { readonly __typename: 'InvalidImageError' })
  | (Failed & { readonly __typename: 'StorageFailedError' })
  | (UserError & { readonly __typename: 'OutcomeUnknownError'; readonly unknownGeneration: GenerationSeen })
  | (UserError & {
      readonly __typename: 'GenerationCanceledError';
      readonly canceledGeneration: GenerationSeen;
    });

export type MemberName = GenerateImageResult['__typename'];
export type Member<Name extends MemberName> = Extract<GenerateImageResult, { readonly __typename: Name }>;

/** All members at once. Each is written out: of fragments on interfaces Relay's compiler makes no union of types. */
export const GENERATE_IMAGE = operation<
  { readonly generateImage: GenerateImageResult },
  { readonly input: GenerateImageInput }
>(`mutation GenerateImageMutation($input: GenerateImageInput!) {
  generateImage(input: $input) {
    __typename
    ... on GenerateImageSuccess { replayed image { id url width height } generation { ${GENERATION} } }
    ... on GenerationPending { generation { ${GENERATION} } }
    ... on InvalidInputError { message retryable issues { path message } }
    ... on IdempotencyConflictError { message retryable existingGeneration { ${GENERATION} } }
    ... on QuotaExceededError { message retryable resetAt }
    ... on ContentPolicyError { message retryable failedGeneration { ${GENERATION} } }
    ... on ProviderRejectedError { message retryable providerCode failedGeneration { ${GENERATION} } }
    ... on ProviderUnavailableError { message retryable retryAfterSeconds failedGeneration { ${GENERATION} } }
    ... on InvalidImageError { message retryable failedGeneration { ${GENERATION} } }
    ... on StorageFailedError { message retryable failedGeneration { ${GENERATION} } }
    ... on OutcomeUnknownError { message retryable unknownGeneration { ${GENERATION} } }
    ... on GenerationCanceledError { message retryable canceledGeneration { ${GENERATION} } }
  }
}`);

/** One of the mutation, as an application writes it that knows of success, and that the others are errors. */
export interface BriefResult {
  readonly __typename: string;
  readonly image?: { readonly id: string };
  readonly message?: string;
  readonly retryable?: boolean;
}

/** By a fragment on an interface, which a cache can match only if it knows who implements it. */
export const GENERATE_IMAGE_BRIEFLY = operation<
  { readonly generateImage: BriefResult },
  { readonly input: GenerateImageInput }
>(`mutation GenerateImageBrieflyMutation($input: GenerateImageInput!) {
  generateImage(input: $input) {
    __typename
    ... on GenerateImageSuccess { image { id } }
    ... on UserError { message retryable }
  }
}`);

/** What a page shows of one generation. */
export const GENERATION_QUERY = operation<
  { readonly generation: GenerationSeen | null },
  { readonly id: string }
>(`query GenerationQuery($id: ID!) { generation(id: $id) { ${GENERATION} } }`);

export const NODE_QUERY = operation<
  { readonly node: (GenerationSeen & { readonly __typename: string }) | null },
  { readonly id: string }
>(`query NodeQuery($id: ID!) { node(id: $id) { __typename ... on Generation { ${GENERATION} } } }`);

export interface Connection {
  readonly edges: readonly { readonly node: GenerationSeen }[];
  readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
}

export interface PageVariables {
  readonly first: number;
  readonly after?: string | null;
}

/** Relay has a fragment with `@connection` in its place: see relay-compile.ts. */
export const GENERATIONS_QUERY = operation<
  { readonly generations: Connection | null },
  PageVariables
>(`query GenerationsQuery($first: Int!, $after: String) {
  generations(first: $first, after: $after) {
    edges { cursor node { ${GENERATION} } }
    pageInfo { endCursor hasNextPage }
  }
}`);

export const GENERATION_UPDATED = operation<
  { readonly generationUpdated: GenerationSeen },
  { readonly id: string }
>(`subscription GenerationUpdatedSubscription($id: ID!) { generationUpdated(id: $id) { ${GENERATION} } }`);

/** Needs the scope `admin`. */
export const API_KEYS_QUERY = operation<
  { readonly apiKeys: { readonly edges: readonly { readonly node: { readonly id: string } }[] } | null },
  { readonly first: number }
>('query ApiKeysQuery($first: Int!) { apiKeys(first: $first) { edges { node { id } } } }');

/** Two that read different fields of one thing that has no id. */
export const VIEWER_NAME_QUERY = operation<
  { readonly viewer: { readonly client: { readonly name: string } } | null },
  Record<string, never>
>('query ViewerNameQuery { viewer { client { id name } } }');
export const VIEWER_SCOPES_QUERY = operation<
  { readonly viewer: { readonly scopes: readonly string[] } | null },
  Record<string, never>
>('query ViewerScopesQuery { viewer { scopes } }');

/** Two that read different fields of things whose key is their name. */
export const PROVIDER_MODELS_QUERY = operation<
  { readonly providers: readonly { readonly name: string; readonly models: readonly string[] }[] | null },
  Record<string, never>
>('query ProviderModelsQuery { providers { name models } }');
export const PROVIDER_STATUS_QUERY = operation<
  { readonly providers: readonly { readonly name: string; readonly status: string }[] | null },
  Record<string, never>
>('query ProviderStatusQuery { providers { name status } }');

/** Every operation, for who compiles them beforehand. */
export const OPERATIONS = [
  GENERATE_IMAGE,
  GENERATE_IMAGE_BRIEFLY,
  GENERATION_QUERY,
  NODE_QUERY,
  GENERATION_UPDATED,
  API_KEYS_QUERY,
  VIEWER_NAME_QUERY,
  VIEWER_SCOPES_QUERY,
  PROVIDER_MODELS_QUERY,
  PROVIDER_STATUS_QUERY,
] as const;

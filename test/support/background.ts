import type { GraphqlClient } from './graphql-client.ts';

/** What tests read of a generation. */
export interface GenerationAnswered {
  readonly id: string;
  readonly status: string;
  readonly attempts: readonly { number: number; outcome: string; errorCode: string | null }[];
  readonly image: { id: string; url: string; sha256: string } | null;
}

/** A union member of `startGeneration` or `cancelGeneration`; what it lacks is undefined. */
export interface BackgroundResult {
  readonly __typename: string;
  readonly replayed?: boolean;
  readonly mayBeBilled?: boolean;
  readonly message?: string;
  readonly retryable?: boolean;
  readonly issues?: readonly { path: string[]; message: string }[];
  /** The generation, whatever the member calls it. */
  readonly generation?: GenerationAnswered;
}

export const GENERATION_FIELDS = 'id status attempts { number outcome errorCode } image { id url sha256 }';

const START = `mutation ($input: GenerateImageInput!) {
  startGeneration(input: $input) {
    __typename
    ... on StartGenerationSuccess { replayed generation { ${GENERATION_FIELDS} } }
    ... on UserError { message retryable }
    ... on InvalidInputError { issues { path message } }
    ... on IdempotencyConflictError { generation: existingGeneration { ${GENERATION_FIELDS} } }
  }
}`;
const CANCEL = `mutation ($input: CancelGenerationInput!) {
  cancelGeneration(input: $input) {
    __typename
    ... on CancelGenerationSuccess { mayBeBilled generation { ${GENERATION_FIELDS} } }
    ... on UserError { message retryable }
    ... on GenerationNotCancelableError { generation: endedGeneration { ${GENERATION_FIELDS} } }
  }
}`;

export async function startGeneration(client: GraphqlClient, input: object): Promise<BackgroundResult> {
  return (await client.query<{ startGeneration: BackgroundResult }>(START, { input })).startGeneration;
}

export async function cancelGeneration(client: GraphqlClient, id: string): Promise<BackgroundResult> {
  return (await client.query<{ cancelGeneration: BackgroundResult }>(CANCEL, { input: { id } }))
    .cancelGeneration;
}

/** Starts a generation that must be accepted, and returns its id. */
export async function startedId(client: GraphqlClient, input: object): Promise<string> {
  const { generation, ...rest } = await startGeneration(client, input);
  if (generation === undefined) throw new Error(`Nothing was started: ${JSON.stringify(rest)}`);
  return generation.id;
}

export async function generationNow(client: GraphqlClient, id: string): Promise<GenerationAnswered | null> {
  const query = `query ($id: ID!) { generation(id: $id) { ${GENERATION_FIELDS} } }`;
  return (await client.query<{ generation: GenerationAnswered | null }>(query, { id })).generation;
}

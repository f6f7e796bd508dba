import type { Answer, Intent } from './evidence.ts';

/** What one request led to. */
export type Reply =
  | { readonly kind: 'final'; readonly answer: Answer }
  | { readonly kind: 'pending' }
  /** No answer, which says nothing about what was done. */
  | { readonly kind: 'unanswered'; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string };

export interface AskOptions {
  /** Of the gateway, without a slash at the end. */
  readonly url: string;
  readonly apiKey: string;
  /** How long the gateway is asked to wait. */
  readonly waitSeconds: number;
  /** How long the client listens beyond that, in milliseconds. */
  readonly patienceMs: number;
}

const MUTATION = `mutation ($input: GenerateImageInput!) {
  generateImage(input: $input) {
    __typename
    ... on GenerateImageSuccess { generation { id } image { id sha256 url } }
    ... on UserError { message retryable }
    ... on IdempotencyConflictError { generation: existingGeneration { id } }
    ... on ProviderRejectedError { generation: failedGeneration { id } }
    ... on ProviderUnavailableError { generation: failedGeneration { id } }
    ... on InvalidImageError { generation: failedGeneration { id } }
    ... on StorageFailedError { generation: failedGeneration { id } }
    ... on OutcomeUnknownError { generation: unknownGeneration { id } }
  }
}`;

/** One request for an image, with the key of its intent. Never rejects: whatever comes, or doesn't, is a reply. */
export async function askForImage(
  intent: Intent,
  { url, apiKey, waitSeconds, patienceMs }: AskOptions,
): Promise<Reply> {
  const { key: idempotencyKey, prompt, delivery } = intent;
  try {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
      body: JSON.stringify({
        query: MUTATION,
        variables: { input: { prompt, delivery, idempotencyKey, waitSeconds } },
      }),
      signal: AbortSignal.timeout(waitSeconds * 1000 + patienceMs),
    });
    return replyOf(intent, response.status, await response.text());
  } catch (error) {
    const leaves = error instanceof Error && error.name === 'TimeoutError';
    return { kind: 'unanswered', why: leaves ? 'waited for in vain' : 'broken connection' };
  }
}

interface Body {
  readonly data?: {
    readonly generateImage: {
      readonly __typename: string;
      readonly retryable?: boolean;
      readonly generation?: { readonly id: string };
      readonly image?: { readonly id: string; readonly sha256: string; readonly url: string };
    };
  };
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

function replyOf(intent: Intent, status: number, text: string): Reply {
  // What a proxy says when no replica answers, and a replica that is shutting down or has lost its ledger.
  if (status === 502 || status === 503 || status === 504)
    return { kind: 'unanswered', why: `HTTP ${status}` };
  let body: Body;
  try {
    body = JSON.parse(text) as Body;
  } catch {
    return { kind: 'refused', why: `HTTP ${status}, ${text.slice(0, 100)}` };
  }
  const result = body.data?.generateImage;
  if (result === undefined) {
    const [error] = body.errors ?? [];
    return { kind: 'refused', why: `HTTP ${status}, ${error?.extensions?.code}: ${error?.message}` };
  }
  if (result.__typename === 'GenerationPending') return { kind: 'pending' };
  const { __typename: typename, retryable = false, generation, image } = result;
  return {
    kind: 'final',
    answer: {
      intent,
      typename,
      retryable,
      generationId: generation === undefined ? undefined : localId(generation.id),
      image: image === undefined ? undefined : { ...image, id: localId(image.id) },
    },
  };
}

/** The UUID in a global id. */
const localId = (globalId: string): string =>
  Buffer.from(globalId, 'base64').toString('utf8').split(':')[1] ?? '';

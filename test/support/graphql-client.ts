/** What tests read of an answer to `generateImage`; what a member lacks is undefined. */
export interface ImageResult {
  readonly __typename: string;
  readonly replayed?: boolean;
  readonly message?: string;
  readonly retryable?: boolean;
  readonly providerCode?: string | null;
  readonly retryAfterSeconds?: number | null;
  readonly resetAt?: string;
  readonly issues?: readonly { path: string[]; message: string }[];
  readonly image?: {
    id: string;
    url: string;
    width: number;
    height: number;
    revisedPrompt: string | null;
    sha256: string;
    byteSize: number;
    altText: string;
  };
  /** The generation, whatever the member calls it. */
  readonly generation?: {
    id: string;
    status: string;
    idempotencyKey: string | null;
    failure: { code: string; message: string } | null;
    attempts: {
      number: number;
      outcome: string;
      httpStatus: number | null;
      errorCode: string | null;
      requestId: string;
    }[];
  };
}

export interface GraphqlClient {
  readonly key: string;
  /** Sends an operation; resolves with its data, or rejects with its first error. */
  query<Data>(query: string, variables?: object): Promise<Data>;
  /** Sends an operation, and returns the whole answer. */
  send(query: string, variables?: object, headers?: Record<string, string>): Promise<RawAnswer>;
  /** `generateImage` with everything that a test may ask about. */
  generateImage(input: object): Promise<ImageResult>;
  generateImages(input: object): Promise<ImageResult[]>;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the operation's, and asserted on by the test
  readonly body: { data?: any; errors?: { message: string; extensions?: Record<string, unknown> }[] };
}

const GENERATION = `fragment G on Generation {
  id status idempotencyKey failure { code message }
  attempts { number outcome httpStatus errorCode requestId }
}`;
const RESULT = `
  __typename
  ... on GenerateImageSuccess {
    replayed generation { ...G } image { id url width height revisedPrompt sha256 byteSize altText }
  }
  ... on GenerationPending { generation { ...G } }
  ... on UserError { message retryable }
  ... on InvalidInputError { issues { path message } }
  ... on IdempotencyConflictError { generation: existingGeneration { ...G } }
  ... on QuotaExceededError { resetAt }
  ... on ContentPolicyError { generation: failedGeneration { ...G } }
  ... on ProviderRejectedError { providerCode generation: failedGeneration { ...G } }
  ... on ProviderUnavailableError { retryAfterSeconds generation: failedGeneration { ...G } }
  ... on InvalidImageError { generation: failedGeneration { ...G } }
  ... on StorageFailedError { generation: failedGeneration { ...G } }
  ... on OutcomeUnknownError { generation: unknownGeneration { ...G } }
  ... on GenerationCanceledError { generation: canceledGeneration { ...G } }
`;

export function createGraphqlClient(url: () => string, key: string): GraphqlClient {
  async function send(query: string, variables: object = {}, headers: Record<string, string> = {}) {
    const response = await fetch(`${url()}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: JSON.parse(text) as RawAnswer['body'],
    };
  }
  async function query<Data>(text: string, variables: object = {}): Promise<Data> {
    const { body } = await send(text, variables);
    const [error] = body.errors ?? [];
    if (error !== undefined) throw Object.assign(new Error(error.message), { extensions: error.extensions });
    return body.data as Data;
  }
  return {
    key,
    send,
    query,
    async generateImage(input) {
      const data = await query<{ generateImage: ImageResult }>(
        `mutation ($input: GenerateImageInput!) { generateImage(input: $input) { ${RESULT} } } ${GENERATION}`,
        { input },
      );
      return data.generateImage;
    },
    async generateImages(input) {
      const data = await query<{ generateImages: ImageResult[] }>(
        `mutation ($input: GenerateImagesInput!) { generateImages(input: $input) { ${RESULT} } } ${GENERATION}`,
        { input },
      );
      return data.generateImages;
    },
  };
}

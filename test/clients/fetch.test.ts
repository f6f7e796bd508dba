import { describeClient } from './support/describe-client.ts';
import { type ClientDriver, errorSeen } from './support/driver.ts';
import { GENERATE_IMAGE, GENERATE_IMAGE_BRIEFLY, NODE_QUERY, type Operation } from './support/operations.ts';
import { pagesByHand } from './support/pages-by-hand.ts';

interface Answer<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[];
}

class AnswerError extends Error {
  readonly status: number;
  readonly answer: Answer<unknown>;
  constructor(status: number, answer: Answer<unknown>) {
    super(answer.errors?.[0]?.message);
    this.status = status;
    this.answer = answer;
  }
}

/** No library at all. */
const plainFetch: ClientDriver = {
  name: 'fetch',
  cached: false,
  transports: [],
  open({ url, key, fetch }) {
    async function send<Result, Variables extends object>(
      { text }: Operation<Result, Variables>,
      variables: Variables,
    ): Promise<Result> {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({ query: text, variables }),
      });
      const answer = (await response.json()) as Answer<Result>;
      if (answer.errors !== undefined || answer.data == null) throw new AnswerError(response.status, answer);
      return answer.data;
    }
    return {
      query: send,
      generateImage: async (input) => (await send(GENERATE_IMAGE, { input })).generateImage,
      generateImageBriefly: async (input) => (await send(GENERATE_IMAGE_BRIEFLY, { input })).generateImage,
      refetch: async (id) => (await send(NODE_QUERY, { id })).node,
      list: (pageSize) => pagesByHand(send, pageSize),
      errorOf: (error) =>
        error instanceof AnswerError ? errorSeen(error.answer.errors, error.status) : undefined,
      close: () => undefined,
    };
  },
};

describeClient(plainFetch);

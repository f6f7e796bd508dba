import { ClientError, GraphQLClient } from 'graphql-request';
import { describeClient } from './support/describe-client.ts';
import { type ClientDriver, errorSeen } from './support/driver.ts';
import { GENERATE_IMAGE, GENERATE_IMAGE_BRIEFLY, NODE_QUERY, type Operation } from './support/operations.ts';
import { pagesByHand } from './support/pages-by-hand.ts';

const graphqlRequest: ClientDriver = {
  name: 'graphql-request',
  cached: false,
  transports: [],
  open({ url, key, fetch }) {
    const client = new GraphQLClient(url, {
      fetch,
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    });
    const send = <Result, Variables extends object>(
      { text }: Operation<Result, Variables>,
      variables: Variables,
    ): Promise<Result> => client.request<Result>(text, variables);
    return {
      query: send,
      generateImage: async (input) => (await send(GENERATE_IMAGE, { input })).generateImage,
      generateImageBriefly: async (input) => (await send(GENERATE_IMAGE_BRIEFLY, { input })).generateImage,
      refetch: async (id) => (await send(NODE_QUERY, { id })).node,
      list: (pageSize) => pagesByHand(send, pageSize),
      errorOf: (error) =>
        error instanceof ClientError ? errorSeen(error.response.errors, error.response.status) : undefined,
      close: () => undefined,
    };
  },
};

describeClient(graphqlRequest);

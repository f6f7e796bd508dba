import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  ServerError,
  type TypedDocumentNode,
} from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { describeClient } from './support/describe-client.ts';
import { type ClientDriver, errorSeen, type SessionOptions } from './support/driver.ts';
import {
  GENERATE_IMAGE,
  GENERATE_IMAGE_BRIEFLY,
  GENERATION_QUERY,
  GENERATION_UPDATED,
  GENERATIONS_QUERY,
  NODE_QUERY,
  type Operation,
} from './support/operations.ts';
import { possibleTypesOf, schema } from './support/schema-text.ts';
import { told } from './support/told.ts';

/** Apollo compares documents by identity. */
const documents = new Map<string, TypedDocumentNode>();
function documentOf<Result, Variables extends object>({ text }: Operation<Result, Variables>) {
  const document = documents.get(text) ?? parse(text);
  documents.set(text, document);
  return document as TypedDocumentNode<Result>;
}

const loosely = (variables: object): Record<string, unknown> => ({ ...variables });

function createApollo({ url, key, fetch }: SessionOptions) {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: authorization,
    retryAttempts: 0,
  });
  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: url, headers: authorization, fetch }),
    ),
    cache: new InMemoryCache({
      possibleTypes: possibleTypesOf(schema),
      typePolicies: {
        Query: { fields: { generations: relayStylePagination(['filter']) } },
        Viewer: { keyFields: [] },
        Provider: { keyFields: ['name'] },
      },
    }),
  });
  return { client, socket };
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('There is no data.');
  return value;
}

const apollo: ClientDriver = {
  name: 'Apollo Client',
  cached: true,
  transports: ['WebSocket'],
  open(options) {
    const { client, socket } = createApollo(options);
    async function mutate<Result, Variables extends object>(
      operation: Operation<Result, Variables>,
      variables: Variables,
    ): Promise<Result> {
      const { data } = await client.mutate<Result>({
        mutation: documentOf(operation),
        variables: loosely(variables),
      });
      return present(data) as Result;
    }
    async function query<Result, Variables extends object>(
      operation: Operation<Result, Variables>,
      variables: Variables,
      fetchPolicy: 'cache-first' | 'network-only' = 'cache-first',
    ): Promise<Result> {
      const { data } = await client.query<Result>({
        query: documentOf(operation),
        variables: loosely(variables),
        fetchPolicy,
      });
      return present(data) as Result;
    }

    /** A query that a component shows: it stays subscribed to the cache. */
    async function look<Result, Variables extends object>(
      operation: Operation<Result, Variables>,
      variables: Variables,
    ) {
      const observable = client.watchQuery<Result>({
        query: documentOf(operation),
        variables: loosely(variables),
      });
      const first = Promise.withResolvers<void>();
      const subscription = observable.subscribe(({ error, loading }) => {
        if (error !== undefined) first.reject(error);
        else if (!loading) first.resolve();
      });
      await first.promise;
      return {
        observable,
        now: () => observable.getCurrentResult().data as Result | undefined,
        close: () => subscription.unsubscribe(),
      };
    }

    return {
      query,
      generateImage: async (input) => (await mutate(GENERATE_IMAGE, { input })).generateImage,
      generateImageBriefly: async (input) => (await mutate(GENERATE_IMAGE_BRIEFLY, { input })).generateImage,
      refetch: async (id) => (await query(NODE_QUERY, { id }, 'network-only')).node,
      async list(first) {
        const { observable, now, close } = await look(GENERATIONS_QUERY, { first });
        const shown = () => present(now()).generations;
        return {
          now: () => shown()?.edges.map(({ node }) => node) ?? [],
          hasNext: () => shown()?.pageInfo.hasNextPage === true,
          async loadNext() {
            await observable.fetchMore({ variables: { after: shown()?.pageInfo.endCursor } });
          },
          close,
        };
      },
      async watch(id) {
        const { now, close } = await look(GENERATION_QUERY, { id });
        return { now: () => now()?.generation ?? null, close };
      },
      subscribe: (id) =>
        told(({ next, complete, fail }) => {
          const subscription = client
            .subscribe({ query: documentOf(GENERATION_UPDATED), variables: { id } })
            .subscribe({
              next: ({ data, error }) =>
                data === undefined
                  ? fail(error)
                  : next((data as { generationUpdated: never }).generationUpdated),
              error: fail,
              complete,
            });
          return () => subscription.unsubscribe();
        }),
      errorOf(error) {
        if (CombinedGraphQLErrors.is(error)) return errorSeen(error.errors);
        if (ServerError.is(error)) return errorSeen(JSON.parse(error.bodyText).errors, error.statusCode);
        return undefined;
      },
      async close() {
        client.stop();
        await socket.dispose();
      },
    };
  },
};

describeClient(apollo);

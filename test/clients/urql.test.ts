import {
  Client,
  CombinedError,
  fetchExchange,
  gql,
  type OperationResult,
  type RequestPolicy,
  subscriptionExchange,
} from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { introspectionFromSchema } from 'graphql';
import { createClient, type Sink } from 'graphql-ws';
import { onEnd, pipe, subscribe } from 'wonka';
import { describeClient } from './support/describe-client.ts';
import { type ClientDriver, errorSeen, type SessionOptions } from './support/driver.ts';
import {
  GENERATE_IMAGE,
  GENERATE_IMAGE_BRIEFLY,
  GENERATION_QUERY,
  GENERATION_UPDATED,
  GENERATIONS_QUERY,
  type GenerationSeen,
  NODE_QUERY,
  type Operation,
} from './support/operations.ts';
import { namesWithoutId, schema } from './support/schema-text.ts';
import { told } from './support/told.ts';

const introspection = introspectionFromSchema(schema);

function createUrql({ url, key, fetch }: SessionOptions) {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: authorization,
    retryAttempts: 0,
  });
  const client = new Client({
    url,
    fetch,
    fetchOptions: { headers: authorization },
    exchanges: [
      cacheExchange({
        schema: introspection,
        keys: {
          ...Object.fromEntries(namesWithoutId(schema).map((name) => [name, () => null])),
          Provider: ({ name }) => String(name),
        },
        resolvers: { Query: { generations: relayPagination() } },
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          // They differ only in how they write what is absent.
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query, variables: variables ?? null }, sink as Sink),
          }),
        }),
      }),
    ],
  });
  return { client, socket };
}

const documentOf = <Result, Variables extends object>({ text }: Operation<Result, Variables>) =>
  gql<Result, Variables>(text);

function dataOf<Result>({ data, error }: Pick<OperationResult<Result>, 'data' | 'error'>): Result {
  if (error !== undefined) throw error;
  if (data === undefined) throw new Error('There is no data.');
  return data;
}

const urql: ClientDriver = {
  name: 'urql, with its Graphcache',
  cached: true,
  transports: ['WebSocket', 'server-sent events'],
  open(options) {
    const { client, socket } = createUrql(options);
    const mutate = async <Result, Variables extends object>(
      operation: Operation<Result, Variables>,
      variables: Variables,
    ): Promise<Result> => dataOf(await client.mutation(documentOf(operation), variables));
    const query = async <Result, Variables extends object>(
      operation: Operation<Result, Variables>,
      variables: Variables,
      requestPolicy: RequestPolicy = 'cache-first',
    ): Promise<Result> => dataOf(await client.query(documentOf(operation), variables, { requestPolicy }));

    /** A query that a component shows: it stays subscribed to the cache. */
    async function look<Result, Variables extends object>(
      operation: Operation<Result, Variables>,
      variables: Variables,
    ) {
      let latest: Result | undefined;
      const first = Promise.withResolvers<void>();
      const { unsubscribe } = client.query(documentOf(operation), variables).subscribe((result) => {
        if (result.error !== undefined) return first.reject(result.error);
        latest = result.data;
        if (!result.stale) first.resolve();
      });
      await first.promise;
      return { now: () => latest, close: unsubscribe };
    }

    return {
      query,
      generateImage: async (input) => (await mutate(GENERATE_IMAGE, { input })).generateImage,
      generateImageBriefly: async (input) => (await mutate(GENERATE_IMAGE_BRIEFLY, { input })).generateImage,
      refetch: async (id) => (await query(NODE_QUERY, { id }, 'network-only')).node,
      async list(first) {
        // The latest page's result has all pages before it.
        let shown = await look(GENERATIONS_QUERY, { first });
        const page = () => shown.now()?.generations;
        return {
          now: () => page()?.edges.map(({ node }) => node) ?? [],
          hasNext: () => page()?.pageInfo.hasNextPage === true,
          async loadNext() {
            const previous = shown;
            shown = await look(GENERATIONS_QUERY, { first, after: page()?.pageInfo.endCursor ?? null });
            previous.close();
          },
          close: () => shown.close(),
        };
      },
      async watch(id) {
        const { now, close } = await look(GENERATION_QUERY, { id });
        return { now: () => now()?.generation ?? null, close };
      },
      subscribe: (id, transport) =>
        told<GenerationSeen>(({ next, complete, fail }) => {
          const context = { fetchSubscriptions: transport === 'server-sent events' };
          const { unsubscribe } = pipe(
            client.subscription(documentOf(GENERATION_UPDATED), { id }, context),
            onEnd(complete),
            subscribe(({ data, error, hasNext }) => {
              if (error !== undefined) fail(error);
              else if (hasNext && data !== undefined) next(data.generationUpdated);
              else complete();
            }),
          );
          return unsubscribe;
        }),
      errorOf: (error) =>
        error instanceof CombinedError
          ? errorSeen(error.graphQLErrors, (error.response as Response | undefined)?.status)
          : undefined,
      close: () => socket.dispose(),
    };
  },
};

describeClient(urql);

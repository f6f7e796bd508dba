import { createClient, type Sink } from 'graphql-ws';
import {
  commitMutation,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  getSingularSelector,
  Network,
  Observable,
  RecordSource,
  requestSubscription,
  type SingularReaderSelector,
  Store,
} from 'relay-runtime';
import { afterAll } from 'vitest';
import { describeClient } from './support/describe-client.ts';
import { type ClientDriver, errorSeen, type SessionOptions } from './support/driver.ts';
import {
  type Connection,
  GENERATE_IMAGE,
  GENERATE_IMAGE_BRIEFLY,
  GENERATION_QUERY,
  GENERATION_UPDATED,
  type GenerationSeen,
  NODE_QUERY,
  type Operation,
} from './support/operations.ts';
import { compileRelay } from './support/relay-compile.ts';
import { told } from './support/told.ts';

const artifacts = await compileRelay();
afterAll(() => artifacts.remove());

type Errors = Parameters<typeof errorSeen>[0];

/** Relay leaves fields with errors empty and says nothing, unless the network throws. */
class AnswerError extends Error {
  readonly errors: Errors;
  readonly status: number;
  constructor(errors: NonNullable<Errors>, status: number) {
    super(errors[0]?.message);
    this.errors = errors;
    this.status = status;
  }
}

function createRelay({ url, key, fetch }: SessionOptions) {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: authorization,
    retryAttempts: 0,
  });
  const environment = new Environment({
    store: new Store(new RecordSource()),
    network: Network.create(
      async ({ text }, variables) => {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...authorization },
          body: JSON.stringify({ query: text, variables }),
        });
        const answer = await response.json();
        if (answer.errors !== undefined) throw new AnswerError(answer.errors, response.status);
        return answer;
      },
      ({ text }, variables) =>
        Observable.create((sink) => socket.subscribe({ query: text ?? '', variables }, sink as Sink)),
    ),
  });
  return { environment, socket };
}

const relay: ClientDriver = {
  name: 'Relay',
  cached: true,
  transports: ['WebSocket'],
  open(options) {
    const { environment, socket } = createRelay(options);

    const commit = (name: string, variables: object): Promise<unknown> =>
      new Promise((resolve, reject) => {
        commitMutation(environment, {
          mutation: artifacts.request(name),
          variables: { ...variables },
          onCompleted: resolve,
          onError: reject,
        });
      });
    const mutate = async <Result, Variables extends object>(
      { name }: Operation<Result, Variables>,
      variables: Variables,
    ): Promise<Result> => (await commit(name, variables)) as Result;

    async function send(name: string, variables: object, fetchPolicy?: 'network-only'): Promise<unknown> {
      const policy = fetchPolicy ?? 'store-or-network';
      return fetchQuery(
        environment,
        artifacts.request(name),
        { ...variables },
        { fetchPolicy: policy },
      ).toPromise();
    }
    const query = async <Result, Variables extends object>(
      { name }: Operation<Result, Variables>,
      variables: Variables,
      fetchPolicy?: 'network-only',
    ): Promise<Result> => (await send(name, variables, fetchPolicy)) as Result;

    /** What a component reads of the store; it is told of changes. */
    function read<Data>(selector: SingularReaderSelector) {
      let snapshot = environment.lookup(selector);
      const subscription = environment.subscribe(snapshot, (changed) => {
        snapshot = changed;
      });
      return { now: () => snapshot.data as unknown as Data, close: () => subscription.dispose() };
    }
    async function look(name: string, variables: object) {
      await send(name, variables);
      const operation = createOperationDescriptor(artifacts.request(name), { ...variables });
      const retained = environment.retain(operation);
      return { operation, release: () => retained.dispose() };
    }

    return {
      query,
      generateImage: async (input) => (await mutate(GENERATE_IMAGE, { input })).generateImage,
      generateImageBriefly: async (input) => (await mutate(GENERATE_IMAGE_BRIEFLY, { input })).generateImage,
      refetch: async (id) => (await query(NODE_QUERY, { id }, 'network-only')).node,
      async list(first) {
        const { operation, release } = await look('GenerationsListQuery', { first });
        const root = environment.lookup(operation.fragment).data;
        const selector = getSingularSelector(artifacts.fragment('GenerationsList_query'), root);
        if (selector == null) throw new Error('The query has no list.');
        const { now, close } = read<{ generations: Connection | null }>(selector);
        const connection = () => now().generations;
        return {
          now: () => connection()?.edges.map(({ node }) => node) ?? [],
          hasNext: () => connection()?.pageInfo.hasNextPage === true,
          async loadNext() {
            const after = connection()?.pageInfo.endCursor;
            await send('GenerationsListPaginationQuery', { first, after }, 'network-only');
          },
          close() {
            close();
            release();
          },
        };
      },
      async watch(id) {
        const { operation, release } = await look(GENERATION_QUERY.name, { id });
        const { now, close } = read<{ generation: GenerationSeen | null }>(operation.fragment);
        return {
          now: () => now().generation,
          close() {
            close();
            release();
          },
        };
      },
      subscribe: (id) =>
        told<GenerationSeen>(({ next, complete, fail }) => {
          const subscription = requestSubscription(environment, {
            subscription: artifacts.request(GENERATION_UPDATED.name),
            variables: { id },
            onNext: (data) => next((data as { generationUpdated: GenerationSeen }).generationUpdated),
            onCompleted: complete,
            onError: fail,
          });
          return () => subscription.dispose();
        }),
      errorOf(error) {
        if (error instanceof AnswerError) return errorSeen(error.errors, error.status);
        // Of a subscription: Relay's own error, with the answer as its source.
        if (error instanceof Error && 'source' in error)
          return errorSeen((error.source as { errors: Errors }).errors);
        return undefined;
      },
      close: () => socket.dispose(),
    };
  },
};

describeClient(relay);

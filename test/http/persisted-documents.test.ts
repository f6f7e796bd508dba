import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { createClient, type SubscribePayload } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { apolloHash, get, sha256Of, writtenManifest } from '../support/documents.ts';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { samplesOf } from '../support/readme-pages.ts';

const admin = { authorization: `Bearer ${ADMIN_KEY}` };

const VIEWER = 'query Viewer { viewer { scopes } }';
const NODE = 'query Node($id: ID!) { node(id: $id) { id } } query Other { __typename }';
const UPDATED = 'subscription Updated($id: ID!) { generationUpdated(id: $id) { status } }';
/** Under identifiers of its own kind each. */
const MANIFEST = { [`sha256:${sha256Of(VIEWER)}`]: VIEWER, 'x-app.v1:node': NODE, updated: UPDATED };

const answered = { viewer: { scopes: ['admin'] } };

describe('a document of the manifest', () => {
  let gateway: TestGateway;
  let manifest: Awaited<ReturnType<typeof writtenManifest>>;
  beforeAll(async () => {
    manifest = await writtenManifest(MANIFEST);
    gateway = await startTestGateway({ environment: { GESSO_DOCUMENTS: manifest.path } });
  });
  afterAll(async () => {
    await gateway?.close();
    await manifest?.remove();
  });

  it.each([
    ['the SHA-256 of the draft', { documentId: `sha256:${sha256Of(VIEWER)}` }],
    ['its SHA-256 without the prefix', { documentId: sha256Of(VIEWER) }],
    ["Apollo's hash", apolloHash(VIEWER)],
    ['both', { documentId: `sha256:${sha256Of(VIEWER)}`, ...apolloHash(VIEWER) }],
    ['its SHA-256, with its text', { documentId: sha256Of(VIEWER), query: VIEWER }],
    ['its SHA-256, with a text that is null', { documentId: sha256Of(VIEWER), query: null }],
  ])('is run by %s, by POST and by GET', async (_how, parameters) => {
    const posted = await post(gateway, parameters, admin);
    expect([posted.status, posted.body]).toEqual([200, { data: answered }]);
    if ('query' in parameters && parameters.query === null) return;
    const got = await get(gateway, parameters, admin);
    expect([got.status, got.body]).toEqual([200, { data: answered }]);
  });

  it('is run by an identifier of its own, with variables and an operation', async () => {
    const named = { documentId: 'x-app.v1:node', operationName: 'Node', variables: { id: 'nothing' } };
    expect((await post(gateway, named, admin)).body).toEqual({ data: { node: null } });
    expect((await get(gateway, named, admin)).body).toEqual({ data: { node: null } });
    const other = { documentId: 'x-app.v1:node', operationName: 'Other' };
    expect((await get(gateway, other, admin)).body).toEqual({ data: { __typename: 'Query' } });
    expect(codesOf(await post(gateway, { documentId: 'x-app.v1:node' }, admin))).toEqual([
      'OPERATION_RESOLUTION_FAILURE',
    ]);
  });

  it('needs the API key that its text would need', async () => {
    const answer = await post(gateway, { documentId: sha256Of(VIEWER) });
    expect([answer.status, codesOf(answer)]).toEqual([401, ['UNAUTHENTICATED']]);
  });

  it('is not hindered by others, which are run by their text still', async () => {
    expect((await post(gateway, { query: '{ __typename }' })).body).toEqual({
      data: { __typename: 'Query' },
    });
  });

  it.each([
    { documentId: 'unknown' },
    { documentId: `sha256:${sha256Of('{ unknown }')}` },
    { documentId: 'x-app.v1:unknown' },
    { documentId: '__proto__' },
    { documentId: 'constructor' },
    { documentId: 'x'.repeat(5_000) },
    apolloHash('{ unknown }'),
  ])('is not found by another identifier: %#', async (parameters) => {
    for (const answer of [await post(gateway, parameters), await get(gateway, parameters)]) {
      expect(answer.body).toEqual({
        errors: [{ message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
      });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
    const strict = await post(gateway, parameters, { accept: 'application/graphql-response+json' });
    expect(strict.status).toBe(404);
  });

  it.each([
    ['of another document', { documentId: 'x-app.v1:node', query: VIEWER }, 'PERSISTED_QUERY_MISMATCH'],
    ['unknown, beside a text', { documentId: 'unknown', query: VIEWER }, 'PERSISTED_QUERY_MISMATCH'],
    ['a hash of another text', { query: VIEWER, ...apolloHash(NODE) }, 'PERSISTED_QUERY_MISMATCH'],
    ['two that differ', { documentId: 'x-app.v1:node', ...apolloHash(VIEWER) }, 'BAD_REQUEST'],
    ['a number', { documentId: 1 }, 'BAD_REQUEST'],
    ['a list', { documentId: ['updated'] }, 'BAD_REQUEST'],
    [
      'of another version',
      { extensions: { persistedQuery: { version: 2, sha256Hash: 'x' } } },
      'BAD_REQUEST',
    ],
    ['no hash', { extensions: { persistedQuery: { version: 1 } } }, 'BAD_REQUEST'],
    ['no object', { extensions: { persistedQuery: 'x' } }, 'BAD_REQUEST'],
    ['left out, and the text too', { variables: {} }, 'BAD_REQUEST'],
    ['good, beside a text that is a number', { documentId: 'updated', query: 1 }, 'BAD_REQUEST'],
  ])('is refused with an identifier that is %s', async (_what, parameters, code) => {
    const answer = await post(gateway, parameters, admin);
    expect(codesOf(answer)).toEqual([code]);
    expect(answer.body.data).toBeUndefined();
  });

  it.each(['variables', 'extensions'])('is refused by GET with %s that are no JSON', async (name) => {
    const answer = await get(gateway, { documentId: sha256Of(VIEWER), [name]: '{' }, admin);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({
      errors: [{ message: `The parameter "${name}" is no JSON.`, extensions: { code: 'BAD_REQUEST' } }],
    });
  });

  it.each([
    ["Apollo's hash", { query: '', ...apolloHash(UPDATED) }],
    ['its identifier', { query: '', documentId: 'updated' } as SubscribePayload],
  ])('is subscribed to by WebSocket, by %s', async (_how, payload) => {
    const { generation } = await gateway.generateImage({ prompt: 'a boat' });
    const events = await overWebSocket(gateway, { ...payload, variables: { id: generation?.id } });
    expect(events).toEqual([{ data: { generationUpdated: { status: 'SUCCEEDED' } } }]);
  });

  it('is not found by WebSocket under another identifier', async () => {
    const asked = overWebSocket(gateway, { query: '', ...apolloHash('{ unknown }') });
    await expect(asked).rejects.toMatchObject([{ message: 'PersistedQueryNotFound' }]);
  });
});

describe('automatic persisted queries', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway?.close());

  it('are found once they were sent with their hash, by POST, by GET and as a documentId', async () => {
    const query = '{ viewer { scopes } } # sent once';
    const hash = apolloHash(query);
    expect(codesOf(await post(gateway, hash, admin))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
    expect((await post(gateway, { query, ...hash }, admin)).body).toEqual({ data: answered });
    expect((await post(gateway, hash, admin)).body).toEqual({ data: answered });
    expect((await get(gateway, hash, admin)).body).toEqual({ data: answered });
    const documentId = `sha256:${sha256Of(query)}`;
    expect((await get(gateway, { documentId }, admin)).body).toEqual({ data: answered });
  });

  it('are kept from a GET too', async () => {
    const query = '{ viewer { scopes } } # sent by GET';
    expect((await get(gateway, { query, ...apolloHash(query) }, admin)).body).toEqual({ data: answered });
    expect((await get(gateway, apolloHash(query), admin)).body).toEqual({ data: answered });
  });

  it.each([
    ['POST', false],
    ['GET', true],
  ])("are what Apollo Client's link speaks, by %s", async (_how, useGETForHashedQueries) => {
    const asked: string[] = [];
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.from([
        new PersistedQueryLink({ sha256: sha256Of, useGETForHashedQueries }),
        new HttpLink({
          uri: `${gateway.url}/graphql`,
          headers: admin,
          fetch: (input, init) => {
            const isHashOnly = !`${input} ${init?.body}`.includes('viewer');
            asked.push(`${init?.method} ${isHashOnly ? 'hash' : 'text'}`);
            return fetch(input, init);
          },
        }),
      ]),
    });
    const query = useGETForHashedQueries
      ? gql('query Got { viewer { scopes } }')
      : gql('query Posted { viewer { scopes } }');
    for (let round = 0; round < 2; round++) {
      const { data } = await client.query({ query, fetchPolicy: 'network-only' });
      expect(data).toMatchObject(answered);
    }
    const first = useGETForHashedQueries ? 'GET hash' : 'POST hash';
    expect(asked).toEqual([first, 'POST text', first]);
    client.stop();
  });
});

describe('docs/persisted-documents.md', () => {
  const PAGE = 'docs/persisted-documents.md';
  const samples = samplesOf('json', PAGE).map(({ text }) => JSON.parse(text));

  it('shows a file that is taken, and requests that are answered with it', async () => {
    const [documents, ...requests] = samples;
    const manifest = await writtenManifest(documents);
    const gateway = await startTestGateway({
      environment: { GESSO_DOCUMENTS: manifest.path, GESSO_DOCUMENTS_ONLY: 'true' },
    });
    try {
      expect(requests).toHaveLength(2);
      for (const request of requests) {
        for (const answer of [await post(gateway, request, admin), await get(gateway, request, admin)]) {
          expect(answer.body).toMatchObject({ data: { viewer: { scopes: ['admin'] } } });
        }
      }
    } finally {
      await gateway.close();
      await manifest.remove();
    }
  });
});

/** All events of a subscription, or its errors. */
async function overWebSocket(gateway: TestGateway, payload: SubscribePayload): Promise<unknown[]> {
  const client = createClient({
    url: `${gateway.url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: admin.authorization },
    retryAttempts: 0,
  });
  const events: unknown[] = [];
  try {
    for await (const event of client.iterate(payload)) events.push(event);
    return events;
  } finally {
    await client.dispose();
  }
}

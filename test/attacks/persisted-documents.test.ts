import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getIntrospectionQuery } from 'graphql';
import { createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { apolloHash, get, sha256Of, writtenManifest } from '../support/documents.ts';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const admin = { authorization: `Bearer ${ADMIN_KEY}` };

const VIEWER = 'query Viewer { viewer { scopes } }';
const UPDATED = 'subscription Updated($id: ID!) { generationUpdated(id: $id) { status } }';
const BUY = 'mutation Buy { generateImage(input: { prompt: "x" }) { __typename } }';
const BUY_MANY =
  'mutation BuyMany($count: Int!) { generateImages(input: { prompt: "x", count: $count }) { __typename } }';

let gateway: TestGateway;
let manifest: Awaited<ReturnType<typeof writtenManifest>>;
async function open(documents: Record<string, string>, environment: Record<string, string> = {}) {
  manifest = await writtenManifest(documents);
  gateway = await startTestGateway({ environment: { GESSO_DOCUMENTS: manifest.path, ...environment } });
}
async function close() {
  await gateway?.close();
  await manifest?.remove();
}

describe('a paid mutation that is persisted', () => {
  beforeAll(() => open({ buy: BUY, many: BUY_MANY }, { GESSO_IMAGES_PER_OPERATION: '2' }));
  afterAll(close);
  afterEach(() => expect(gateway.sandbox.journal.calls()).toEqual([]));

  it.each([
    ['by its identifier', { documentId: 'buy' }],
    ['by its hash', apolloHash(BUY)],
    ['by its text with its hash', { query: BUY, ...apolloHash(BUY) }],
  ])('is refused by GET: %s', async (_how, parameters) => {
    const answer = await get(gateway, parameters, admin);
    expect([answer.status, codesOf({ ...answer, body: answer.body })]).toEqual([405, ['BAD_REQUEST']]);
    expect(answer.headers.get('allow')).toBe('POST');
  });

  it('is refused by GET after a client sent it with its hash by POST', async () => {
    const query = `${BUY} # registered`;
    // The input is refused before anything is sent, but the document is a good one, and kept.
    const text = query.replace('"x"', '""');
    await post(gateway, { query: text, ...apolloHash(text) }, admin);
    expect((await post(gateway, apolloHash(text), admin)).body.data).toEqual({
      generateImage: { __typename: 'InvalidInputError' },
    });
    expect((await get(gateway, apolloHash(text), admin)).status).toBe(405);
  });

  it('is counted against the images of an operation', async () => {
    const answer = await post(gateway, { documentId: 'many', variables: { count: 3 } }, admin);
    expect([answer.status, codesOf(answer)]).toEqual([400, ['TOO_MANY_IMAGES']]);
  });

  it('is refused in a batch', async () => {
    const answer = await post(gateway, [{ documentId: 'buy' }, { documentId: 'buy' }], admin);
    expect(answer.status).toBe(400);
    expect(answer.body.data).toBeUndefined();
  });
});

describe('the store of automatic persisted queries', () => {
  beforeAll(() => open({ buy: BUY }));
  afterAll(close);

  const isKept = async (query: string) =>
    !codesOf(await post(gateway, apolloHash(query), admin)).includes('PERSISTED_QUERY_NOT_FOUND');
  const register = (query: string, headers: Record<string, string> = admin) =>
    post(gateway, { query, ...apolloHash(query) }, headers);

  it('takes no text under the hash of another, nor under an identifier of the manifest', async () => {
    const poison = '{ poison: __typename }';
    for (const named of [apolloHash(VIEWER), { documentId: sha256Of(VIEWER) }, { documentId: 'buy' }]) {
      const answer = await post(gateway, { query: poison, ...named }, admin);
      expect([answer.status, codesOf(answer)]).toEqual([400, ['PERSISTED_QUERY_MISMATCH']]);
    }
    expect(await isKept(VIEWER)).toBe(false);
    expect(await isKept(poison)).toBe(false);
  });

  it('takes nothing from strangers', async () => {
    const query = '{ __typename } # of a stranger';
    expect((await register(query, {})).body).toEqual({ data: { __typename: 'Query' } });
    expect(await isKept(query)).toBe(false);
  });

  it.each([
    ['does not parse', '{ viewer {'],
    ['does not fit the schema', '{ viewr { scopes } }'],
    ['has too many aliases', `{ ${Array.from({ length: 40 }, (_, n) => `a${n}: __typename`).join(' ')} }`],
    ['has too many tokens', `{ ${'__typename '.repeat(2_100)} }`],
    ['is too long', `{ __typename } # ${'x'.repeat(20_000)}`],
  ])('takes no document that %s', async (_what, query) => {
    await register(query);
    expect(await isKept(query)).toBe(false);
  });

  it('holds so much and no more', async () => {
    const long = (number: number) => `{ __typename } # ${number} ${'x'.repeat(19_900)}`;
    for (let number = 0; number < 110; number++) await register(long(number));
    expect(await isKept(long(109))).toBe(true);
    expect(await isKept(long(0))).toBe(false);
  });
});

describe('the memory of documents', () => {
  beforeAll(() => open({ buy: BUY }));
  afterAll(close);

  const heapBytes = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const MOST = 60 * 1024 * 1024;

  it('stays small, however long the texts are', async () => {
    const text = (field: string) => `{ ${field} } # ${'x'.repeat(900_000)}`;
    const register = (query: string) => post(gateway, { query, ...apolloHash(query) }, admin);
    await register(text('first: __typename'));
    const before = heapBytes();
    for (let number = 0; number < 60; number++) {
      // One that does not parse, one that does not fit, and one that is run.
      await register(`${text(`broken${number}`)}\n{`);
      await post(gateway, { query: text(`unknown${number}`) });
      await register(text(`alias${number}: __typename`));
    }
    expect(heapBytes() - before).toBeLessThan(MOST);
  });

  it('stays small, however much they are made of', async () => {
    // What is made of each takes half a megabyte.
    const text = (number: number) => `{ ${'__typename '.repeat(950)} } # ${number}`;
    await post(gateway, { query: text(0) });
    const before = heapBytes();
    for (let number = 1; number <= 300; number++) await post(gateway, { query: text(number) });
    expect(heapBytes() - before).toBeLessThan(MOST);
  });

  it.each([
    ['do not fit the schema', (number: number) => `{a${number}}`],
    ['do not parse', (number: number) => `{a${number}`],
    ['are too deep', (number: number) => `${'{a'.repeat(20)}${number}${'}'.repeat(20)}`],
    ['are run', (number: number) => `{__typename#${number}\n}`],
  ])('stays small, however many short ones there are of strangers that %s', async (_what, text) => {
    const ask = async (from: number, to: number) => {
      for (let number = from; number < to; number += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, more) => post(gateway, { query: text(number + more) })),
        );
      }
    };
    await ask(0, 500);
    const before = heapBytes();
    await ask(500, 3_500);
    // The errors of each take 75 KB, if they are kept.
    expect(heapBytes() - before).toBeLessThan(MOST / 2);
  });
});

const collectGarbage = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

describe('where only the documents of the manifest are run', () => {
  beforeAll(() => open({ viewer: VIEWER, updated: UPDATED }, { GESSO_DOCUMENTS_ONLY: 'true' }));
  afterAll(close);

  it.each([
    ['by its identifier', { documentId: 'viewer' }],
    ["by Apollo's hash", apolloHash(VIEWER)],
    ['by its very text', { query: VIEWER }],
    ['by its text and identifier', { query: VIEWER, documentId: 'viewer' }],
  ])('one of them is run: %s', async (_how, parameters) => {
    const answers = [await post(gateway, parameters, admin), await get(gateway, parameters, admin)];
    for (const { body } of answers) expect(body).toEqual({ data: { viewer: { scopes: ['admin'] } } });
  });

  const REFUSED: [what: string, parameters: object][] = [
    ['another text', { query: '{ __typename }' }],
    ['the same with another blank', { query: `${VIEWER} ` }],
    ['one of them and more', { query: `${VIEWER} query More { __typename }` }],
    ['a text that does not parse', { query: '{' }],
    ['introspection', { query: getIntrospectionQuery() }],
    ['an unknown identifier', { documentId: 'unknown' }],
    ['an unknown hash', apolloHash('{ __typename }')],
    ['a text with its hash', { query: '{ __typename }', ...apolloHash('{ __typename }') }],
    ['a text that is a list', { query: [VIEWER] }],
    ['a text that is a list, with an identifier', { query: [VIEWER], documentId: 'viewer' }],
    ['a text that is an object', { query: { toString: VIEWER } }],
    ['no document', {}],
    ['an empty text', { query: '' }],
  ];
  it.each(REFUSED)('nothing else is: %s', async (_what, parameters) => {
    for (const headers of [admin, {}]) {
      const answer = await post(gateway, parameters, headers);
      expect([answer.status, codesOf(answer)]).toEqual([400, ['PERSISTED_QUERY_NOT_IN_LIST']]);
    }
  });
  it.each(REFUSED.filter(([, { query = '' }]: [string, { query?: unknown }]) => typeof query === 'string'))(
    'nothing else is by GET: %s',
    async (_what, parameters) => {
      const answer = await get(gateway, { ...parameters }, admin);
      expect(answer.body.errors?.[0]?.extensions?.code).toBe('PERSISTED_QUERY_NOT_IN_LIST');
    },
  );

  it('another text beside the identifier of one of them is a contradiction', async () => {
    const answer = await post(gateway, { documentId: 'viewer', query: '{ __typename }' }, admin);
    expect(codesOf(answer)).toEqual(['PERSISTED_QUERY_MISMATCH']);
  });

  it('a batch smuggles nothing in', async () => {
    const answer = await post(gateway, [{ documentId: 'viewer' }, { query: '{ __typename }' }], admin);
    expect(answer.status).toBe(400);
    expect(answer.body.data).toBeUndefined();
  });

  it('no GraphiQL is served, which could ask nothing', async () => {
    const response = await fetch(`${gateway.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(response.headers.get('content-type') ?? '').not.toContain('html');
  });

  it.each([
    ['another text', { query: 'subscription ($id: ID!) { generationUpdated(id: $id) { id } }' }],
    ['an unknown hash', { query: '', ...apolloHash('{ unknown }') }],
    ['nothing', { query: '' }],
  ])('nothing else is by WebSocket: %s', async (_what, payload) => {
    await expect(firstByWebSocket(payload)).rejects.toMatchObject([
      { extensions: { code: 'PERSISTED_QUERY_NOT_IN_LIST' } },
    ]);
  });

  it('one of them is subscribed to by WebSocket', async () => {
    const variables = { id: 'nothing' };
    const subscribed = firstByWebSocket({ query: '', ...apolloHash(UPDATED), variables });
    await expect(subscribed).rejects.toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  });
});

async function firstByWebSocket(payload: { query: string; variables?: Record<string, unknown> }) {
  const client = createClient({
    url: `${gateway.url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: admin.authorization },
    retryAttempts: 0,
  });
  try {
    const { value } = await client.iterate(payload).next();
    if (value?.errors !== undefined) throw value.errors;
    return value;
  } finally {
    await client.dispose();
  }
}

describe('a manifest that can not be run', () => {
  it.each([
    ['does not fit the schema', '{ viewr }', 'Cannot query field "viewr"'],
    ['does not parse', '{', 'Syntax Error'],
    ['is larger than the limits', `{ ${'__typename '.repeat(2_100)} }`, 'Token limit'],
    [
      'is deeper than the limits',
      `{ generations { edges { node ${'{ image { generation '.repeat(8)} { id } ${'} }'.repeat(8)} } } }`,
      'depth limit',
    ],
  ])('keeps the gateway from starting: a document %s', async (_what, text, message) => {
    const { path, remove } = await writtenManifest({ viewer: VIEWER, mine: text });
    try {
      const starting = startTestGateway({ environment: { GESSO_DOCUMENTS: path } });
      const error = await starting.then((started) => started.close()).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(String(error)).toContain(`${path} has documents that can't be run here: "mine":`);
      expect(String(error)).toContain(message);
      expect(String(error)).not.toContain('"viewer":');
    } finally {
      await remove();
    }
  });
});

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post } from '../support/edge.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { GraphqlClient } from '../support/graphql-client.ts';

const UNKNOWN = '01978800-0000-7000-8000-000000000000';
const globalId = (typename: string, id: string) => Buffer.from(`${typename}:${id}`).toString('base64');

/** As routers write it. */
const ENTITIES = `query ($representations: [_Any!]!) {
  _entities(representations: $representations) {
    __typename
    ... on Image { id width generation { id client { name } } }
    ... on Generation { id prompt }
    ... on Client { id name }
    ... on AuditEvent { id action }
    ... on ApiKey { id scopes }
  }
}`;

interface Reference {
  readonly __typename: string;
  readonly id: string;
}

describe('an entity', () => {
  let gateway: TestGateway;
  let alice: GraphqlClient;
  let bob: GraphqlClient;
  /** One of each type, as a router refers to it; all but the client's own key are Alice's. */
  let references: Record<string, Reference>;
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { GESSO_FEDERATION: 'on' } });
    alice = await gateway.createClient('alice');
    bob = await gateway.createClient('bob');
    const { image, generation } = await alice.generateImage({ prompt: 'a secret' });
    const { viewer } = await alice.query<{ viewer: { client: { id: string } } }>(
      '{ viewer { client { id } } }',
    );
    type First = { edges: { node: { id: string } }[] };
    const { apiKeys, auditEvents } = await gateway.query<{ apiKeys: First; auditEvents: First }>(
      '{ apiKeys(first: 1) { edges { node { id } } } auditEvents(first: 1) { edges { node { id } } } }',
    );
    const of = (__typename: string, id: string | undefined) => ({ __typename, id: id ?? '' });
    references = {
      Image: of('Image', image?.id),
      Generation: of('Generation', generation?.id),
      Client: of('Client', viewer.client.id),
      AuditEvent: of('AuditEvent', auditEvents.edges[0]?.node.id),
      ApiKey: of('ApiKey', apiKeys.edges[0]?.node.id),
    };
  });
  afterAll(() => gateway?.close());

  const ask = (client: GraphqlClient, representations: readonly unknown[]) =>
    client.send(ENTITIES, { representations });

  it('is fetched by its reference, of every type, in the order asked for', async () => {
    const asked = Object.values(references).toReversed();
    const { status, body } = await ask(gateway, asked);
    expect(status).toBe(200);
    expect(body.errors).toBeUndefined();
    expect(body.data._entities).toMatchObject(asked);
  });

  it('is resolved as far as one asks', async () => {
    const { body } = await ask(alice, [references.Image]);
    expect(body.data._entities).toEqual([
      {
        ...references.Image,
        width: expect.any(Number),
        generation: { id: references.Generation?.id, client: { name: 'alice' } },
      },
    ]);
  });

  it('is fetched as often as it was asked for, with what else a router sends', async () => {
    const asked = [references.Image, { ...references.Image, likes: 3 }];
    const { body } = await ask(alice, asked);
    expect(body.data._entities).toMatchObject([references.Image, references.Image]);
  });

  it('is fetched by a reference that stands in the document', async () => {
    const { body } = await alice.send(
      `{ _entities(representations: [{ __typename: "Image", id: "${references.Image?.id}" }]) { ... on Image { id } } }`,
    );
    expect(body).toEqual({ data: { _entities: [{ id: references.Image?.id }] } });
  });

  it.each(['Image', 'Generation', 'Client', 'AuditEvent', 'ApiKey'])(
    'shows another client no more than node does: %s',
    async (typename) => {
      const reference = references[typename];
      const { body } = await bob.send('query ($id: ID!) { node(id: $id) { id } }', { id: reference?.id });
      expect(body).toEqual({ data: { node: null } });
      expect((await ask(bob, [reference])).body).toEqual({ data: { _entities: [null] } });
      // The reference is a good one, to whoever may see it.
      expect((await ask(gateway, [reference])).body.data._entities).toMatchObject([reference]);
    },
  );

  it('is seen by whoever has generations:read, and nothing more', async () => {
    const reader = await gateway.createClient('reader', ['generations:read']);
    const { body } = await ask(reader, Object.values(references));
    expect(body.data._entities.map((entity: Reference | null) => entity?.__typename)).toEqual([
      'Image',
      'Generation',
      'Client',
      undefined,
      undefined,
    ]);
  });

  it('is not shown to strangers, whatever they refer to', async () => {
    for (const representations of [[], [references.Image], [{ __typename: 'Nothing' }]]) {
      const answer = await post(gateway, { query: ENTITIES, variables: { representations } });
      expect([answer.status, codesOf(answer)]).toEqual([401, ['UNAUTHENTICATED']]);
      expect(answer.body.data ?? null).toBeNull();
    }
  });

  it.each([
    ['unknown', globalId('Image', UNKNOWN)],
    ['of another type', globalId('Generation', UNKNOWN)],
    ['malformed', 'nonsense'],
    ['empty', ''],
    ['very long', 'x'.repeat(100_000)],
  ])('is null for an id that is %s', async (_what, id) => {
    const { status, body } = await ask(alice, [{ __typename: 'Image', id }, references.Image]);
    expect(status).toBe(200);
    expect(body).toMatchObject({ data: { _entities: [null, references.Image] } });
    expect(body.errors).toBeUndefined();
  });

  it('is null where its id is that of another type, though both may be seen', async () => {
    const { body } = await ask(alice, [{ __typename: 'Image', id: references.Generation?.id }]);
    expect(body).toEqual({ data: { _entities: [null] } });
  });

  it.each([
    ['of a type that is no entity', { __typename: 'Viewer', id: 'x' }],
    ['of a type that there is not', { __typename: 'Nothing', id: 'x' }],
    ['of an interface', { __typename: 'Node', id: globalId('Image', UNKNOWN) }],
    ['without a type', { id: globalId('Image', UNKNOWN) }],
    ['with a type that is no text', { __typename: ['Image'], id: globalId('Image', UNKNOWN) }],
    ['without an id', { __typename: 'Image' }],
    ['with an id that is no text', { __typename: 'Image', id: 1 }],
    ['that is text', 'Image'],
    ['that is a list', [1]],
  ])('is an error in its own place for a reference %s', async (_what, reference) => {
    const answer = await ask(alice, [references.Image, reference]);
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT']);
    expect(answer.body).toMatchObject({
      data: { _entities: [references.Image, null] },
      errors: [{ path: ['_entities', 1] }],
    });
  });

  it('is one of a hundred at most', async () => {
    const many = (count: number) => Array.from({ length: count }, () => references.Image);
    const { body } = await ask(alice, many(100));
    expect(body.errors).toBeUndefined();
    expect(body.data._entities).toHaveLength(100);
    const refused = await ask(alice, many(101));
    expect([refused.status, codesOf(refused)]).toEqual([400, ['BAD_USER_INPUT']]);
    expect(refused.body.data).toBeNull();
  });

  it('is asked for everything within the limits of one document', async () => {
    const { body } = await alice.send(
      `query Everything__gesso__1($representations: [_Any!]!) {
        _entities(representations: $representations) {
          __typename
          ... on Image {
            __typename id url width height revisedPrompt thumbhash altText contentType byteSize sha256 createdAt removedAt
            large: rendition(transform: { maxWidth: 1600, format: WEBP }) { __typename url width height contentType }
            small: rendition(transform: { maxWidth: 200, format: AVIF }) { __typename url width height contentType }
            generation {
              __typename id status prompt requestedSize delivery idempotencyKey provider model createdAt finishedAt
              failure { __typename code message }
              attempts { __typename number outcome httpStatus errorCode requestId }
              client { __typename id name }
            }
          }
        }
      }`,
      { representations: Array.from({ length: 100 }, () => references.Image) },
    );
    expect(body.errors).toBeUndefined();
    expect(body.data._entities).toHaveLength(100);
  });

  it('costs one statement with all others of its type', async () => {
    const strangersOf = (count: number) =>
      Array.from({ length: count }, (_, number) => ({
        __typename: 'Generation',
        id: globalId('Generation', UNKNOWN.replace(/.{4}$/, String(1_000 + number))),
      }));
    const statementsFor = (count: number) =>
      statementsDuring(async () => {
        const { body } = await ask(alice, [references.Generation, ...strangersOf(count)]);
        expect(body.data._entities.filter((entity: unknown) => entity !== null)).toHaveLength(1);
      });
    expect(await statementsFor(99)).toHaveLength(1);
  });
});

/** What is sent to PostgreSQL for reading generations while `work` is under way. */
async function statementsDuring(work: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = [];
  const { prototype } = pg.Client;
  const original = prototype.query;
  prototype.query = function query(this: pg.Client, ...args: unknown[]) {
    const [first] = args;
    const text = typeof first === 'string' ? first : (first as { text?: string }).text;
    if (text !== undefined && /^select .* from "?generations"?/is.test(text)) statements.push(text);
    return Reflect.apply(original, this, args);
  } as typeof original;
  try {
    await work();
    return statements;
  } finally {
    prototype.query = original;
  }
}

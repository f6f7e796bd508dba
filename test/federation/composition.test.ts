import { composeServices } from '@apollo/composition';
import { findBreakingChanges, parse, printSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { LIKES, SHOP, SHOP_THAT_KNOWS_IMAGES } from '../support/subgraphs.ts';

const SERVICE = '{ _service { sdl } }';
const admin = { authorization: `Bearer ${ADMIN_KEY}` };

/** Composed as a router's build does it. */
function composed(subgraphs: Readonly<Record<string, string>>) {
  const services = Object.entries(subgraphs).map(([name, sdl]) => ({
    name,
    url: `http://${name}.test`,
    typeDefs: parse(sdl),
  }));
  const { errors, hints, schema: supergraph } = composeServices(services);
  return {
    errors: (errors ?? []).map(({ extensions }) => extensions.code),
    hints: (hints ?? []).map(({ definition, coordinate }) => `${definition.code} ${coordinate ?? ''}`),
    /** As clients of the router see it. */
    api: () => supergraph?.toAPISchema().toGraphQLJSSchema(),
  };
}

describe.each([
  ['on', true],
  ['without-node', false],
])('GESSO_FEDERATION=%s', (federation, hasNode) => {
  let gateway: TestGateway;
  let sdl: string;
  beforeAll(async () => {
    gateway = await startTestGateway({
      environment: { GESSO_FEDERATION: federation, NODE_ENV: 'production' },
    });
    const { body } = await post(gateway, { query: SERVICE }, admin);
    sdl = body.data._service.sdl;
  });
  afterAll(() => gateway?.close());

  it('publishes the schema to whoever has an API key, and to nobody else', async () => {
    const stranger = await post(gateway, { query: SERVICE });
    expect([stranger.status, codesOf(stranger)]).toEqual([401, ['UNAUTHENTICATED']]);
    expect(JSON.stringify(stranger.body)).not.toContain('Image');
    const client = await gateway.createClient('a router');
    const { body } = await client.send(SERVICE);
    expect(body.data._service.sdl).toBe(sdl);
  });

  it('composes alone, and clients of the router see all that is served here', () => {
    const { errors, hints, api } = composed({ gesso: sdl });
    expect({ errors, hints }).toEqual({ errors: [], hints: [] });
    const seen = api();
    expect(seen).toBeDefined();
    if (seen === undefined) return;
    const missing = findBreakingChanges(schema, seen)
      .map(({ description }) => description)
      // What GraphQL itself knows, and nothing here is made of.
      .filter((description) => !description.startsWith('Standard scalar '));
    expect(missing).toEqual(hasNode ? [] : ['Query.node was removed.', 'Query.nodes was removed.']);
    // The machinery is for routers.
    expect(printSchema(seen)).not.toMatch(/_entities|_service|_Any/);
  });

  it('composes beside a subgraph that extends Image', () => {
    const { errors, hints, api } = composed({ gesso: sdl, likes: LIKES });
    expect({ errors, hints }).toEqual({ errors: [], hints: [] });
    const image = api()?.getType('Image');
    expect(printSchema(api() ?? schema)).toContain('popular: [Image!]!');
    expect(image).toMatchObject({ name: 'Image' });
    const fields = Object.keys((image as unknown as { getFields(): object }).getFields());
    expect(fields).toEqual(expect.arrayContaining(['likes', 'url', 'width', 'generation']));
  });

  it.each([
    [
      'that knows images',
      SHOP_THAT_KNOWS_IMAGES,
      {
        errors: [],
        hints: [
          'INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN Query.node',
          'INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN Query.nodes',
        ],
      },
    ],
    [
      // A router asks either for `Query.node`: with no node type in common, one of them could never answer.
      'that knows none of its nodes',
      SHOP,
      {
        errors: ['SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES', 'SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES'],
        hints: [],
      },
    ],
  ])('beside a subgraph with a Query.node of its own %s', (_which, shop, withNode) => {
    const { errors, hints } = composed({ gesso: sdl, likes: LIKES, shop });
    expect({ errors, hints }).toEqual(hasNode ? withNode : { errors: [], hints: [] });
  });

  it('serves all else as ever', async () => {
    const { body } = await post(
      gateway,
      { query: '{ node(id: "nothing") { id } nodes(ids: ["nothing"]) { id } viewer { scopes } }' },
      admin,
    );
    expect(body).toEqual({ data: { node: null, nodes: [null], viewer: { scopes: ['admin'] } } });
  });
});

describe('without GESSO_FEDERATION', () => {
  it('nothing of it is in the schema', async () => {
    const gateway = await startTestGateway();
    try {
      const query = '{ __schema { types { name } } _service { sdl } }';
      expect(codesOf(await post(gateway, { query }, admin))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
      const { body } = await post(gateway, { query: '{ __schema { types { name } } }' }, admin);
      const names = body.data.__schema.types.map(({ name }: { name: string }) => name);
      expect(names.filter((name: string) => /^_[^_]/.test(name))).toEqual([]);
    } finally {
      await gateway.close();
    }
  });
});

import { composeServices } from '@apollo/composition';
import { type ExecutionResult, type GraphQLObjectType, graphql, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { buildSchema } from '../../src/schema/build.ts';
import { schema } from '../../src/schema/index.ts';
import { LIKES } from '../support/subgraphs.ts';

const caption = {
  name: 'captions',
  schema: {
    typeDefs: `
      extend type Image { "Under the picture." caption: Caption! }
      extend type Query { "All there are." captions: [Caption!]! }
      "A line of text." type Caption { "The text." text: String! }
    `,
    resolvers: {
      Image: { caption: () => ({ text: 'a boat' }) },
      Query: { captions: () => [] },
    },
  },
};

async function sdlOf(extensions: Parameters<typeof buildSchema>[0]['extensions'], nodeQueries = true) {
  const built = buildSchema({ extensions, subgraph: true, nodeQueries });
  const { data, errors }: ExecutionResult = await graphql({
    schema: built,
    source: '{ _service { sdl } }',
    contextValue: { principal: { clientId: 'a router' } },
  });
  expect(errors).toBeUndefined();
  return (data as { _service: { sdl: string } })._service.sdl;
}

describe('the schema of a subgraph', () => {
  it('has what plug-ins added, published and composed with all else', async () => {
    const sdl = await sdlOf([caption]);
    const services = [
      { name: 'gesso', url: 'http://gesso.test', typeDefs: parse(sdl) },
      { name: 'likes', url: 'http://likes.test', typeDefs: parse(LIKES) },
    ];
    const { errors, schema: supergraph } = composeServices(services);
    expect(errors ?? []).toEqual([]);
    const api = supergraph?.toAPISchema().toGraphQLJSSchema();
    const image = api?.getType('Image') as GraphQLObjectType | undefined;
    expect(Object.keys(image?.getFields() ?? {})).toEqual(
      expect.arrayContaining(['caption', 'likes', 'url']),
    );
    expect(api?.getQueryType()?.getFields()).toHaveProperty('captions');
  });

  it('is the published one without its machinery', async () => {
    for (const text of ['_service', '_entities', '_Any', '_Entity']) {
      expect(await sdlOf([caption])).not.toContain(text);
    }
    expect(await sdlOf([], false)).not.toMatch(/^ +nodes?\(/m);
    expect(await sdlOf([], true)).toMatch(/^ +node\([^)]*\): Node @shareable$/m);
  });

  it('leaves the schema that it was made of as it is', async () => {
    await sdlOf([caption]);
    expect(schema.getQueryType()?.getFields()).not.toHaveProperty('_service');
    expect(schema.getQueryType()?.getFields()).not.toHaveProperty('captions');
    expect(buildSchema({ extensions: [], subgraph: false })).toBe(schema);
  });

  it('is not built with a plug-in that does not fit', () => {
    const build = () =>
      buildSchema({
        extensions: [{ name: 'broken', schema: { typeDefs: 'extend type Nothing { a: Int }' } }],
        subgraph: true,
      });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow('"broken"');
  });

  it.each([
    ['_Any', 'scalar _Any'],
    ['_Entity', 'union _Entity = Image'],
    ['_Service', 'type _Service { a: Int }'],
    ['Query._entities', 'extend type Query { _entities: Int }'],
    ['Query._service', 'extend type Query { _service: Int }'],
  ])('is not built where a plug-in has its machinery: %s', (name, typeDefs) => {
    const resolvers = { Query: { _entities: () => 1, _service: () => 1 } };
    const schema = typeDefs.includes('Query')
      ? { typeDefs, resolvers: { Query: { [name.slice(6)]: resolvers.Query._service } } }
      : { typeDefs };
    const build = (subgraph: boolean) => buildSchema({ extensions: [{ name: 'own', schema }], subgraph });
    expect(() => build(true)).toThrow(ConfigError);
    expect(() => build(true)).toThrow(`"${name}"`);
    expect(() => build(false)).not.toThrow();
  });
});

import {
  type ExecutionResult,
  graphql,
  lexicographicSortSchema,
  parse,
  printSchema,
  subscribe,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { ConfigError, ForbiddenError, InvalidInputError, UnauthenticatedError } from '../../src/errors.ts';
import type { Context } from '../../src/schema/context.ts';
import type { ExtendingPlugin, ExtensionContext, SchemaExtension } from '../../src/schema/extension.ts';
import { extendWith } from '../../src/schema/extensions.ts';
import { schema } from '../../src/schema/index.ts';
import { makeGeneration, makeImage, makePrincipal } from '../../src/testing/made-up.ts';

const IMAGE = makeImage({ width: 1536, height: 1024 });
const GENERATION = makeGeneration();

/** A request by this caller, of a ledger with one generation and its image. */
const contextOf = (changes: Partial<Context> = {}): Context =>
  ({
    principal: makePrincipal(),
    requestId: 'request-1',
    signal: new AbortController().signal,
    read: {
      imagesById: async (ids: string[]) => [IMAGE].filter(({ id }) => ids.includes(id)),
      imagesOf: async () => new Map([[GENERATION.id, IMAGE]]),
      generationsById: async (ids: string[]) => [GENERATION].filter(({ id }) => ids.includes(id)),
      listGenerations: async () => [GENERATION],
      listApiKeys: async () => [],
    },
    gateway: { images: { url: ({ id }: { id: string }) => `https://images.example/${id}` } },
    ...changes,
  }) as unknown as Context;

const extended = (...extensions: SchemaExtension[]) =>
  extendWith(schema, [{ name: 'made-up', schema: extensions }]);

async function run(extension: SchemaExtension, source: string, changes?: Partial<Context>) {
  return graphql({ schema: extended(extension), source, contextValue: contextOf(changes) });
}
const errorsOf = ({ errors = [] }: ExecutionResult) => errors.map(({ originalError }) => originalError);

/** What the gateway says that does not start with it. */
function refusalOf(...schema_: SchemaExtension[]): string {
  try {
    extended(...schema_);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const beginning = 'The schema of the plug-in "made-up" is not usable: ';
    const { message } = error as Error;
    expect(message.startsWith(beginning)).toBe(true);
    return message.slice(beginning.length);
  }
  return expect.fail('It was taken.');
}

const ASPECT_RATIO: SchemaExtension = {
  typeDefs: `extend type Image { "Width to height." aspectRatio(digits: Int = 2): String! }`,
  resolvers: {
    Image: {
      aspectRatio: ({ width, height }, { digits }: { digits: number }) => (width / height).toFixed(digits),
    },
  },
};

describe('an extension of the schema', () => {
  it('adds a field to a type, whose resolver gets the noun', async () => {
    const result = await run(
      ASPECT_RATIO,
      '{ generations { nodes: edges { node { image { width aspectRatio precise: aspectRatio(digits: 4) } } } } }',
    );
    const image = { width: 1536, aspectRatio: '1.50', precise: '1.5000' };
    expect(result).toEqual({ data: { generations: { nodes: [{ node: { image } }] } } });
  });

  it('adds types, and fields of all kinds', async () => {
    const extension: SchemaExtension = {
      typeDefs: `
        scalar Hex
        enum Mood { CALM WILD }
        interface Named { name: String! }
        type Palette implements Named { name: String! colors: [Hex!]! mood: Mood! shout: String! }
        type Other implements Named { name: String! }
        input PaletteFilter { mood: Mood }
        extend type Query { palettes(filter: PaletteFilter): [Named!]! }
        extend type Client { motto: String }
        extend type Generation { palette: Palette! }`,
      resolvers: {
        Mood: { CALM: 1, WILD: 2 },
        Named: {
          __resolveType: ({ colors }: { colors?: unknown }) => (colors === undefined ? 'Other' : 'Palette'),
        },
        Query: {
          palettes: (_root, { filter }: { filter: { mood: number } }) => [
            { name: 'sea', colors: ['#00f'], mood: filter.mood, shout: () => 'SEA' },
            { name: 'other' },
          ],
        },
        Generation: { palette: ({ prompt }) => ({ name: prompt, colors: [], mood: 1, shout: '' }) },
      },
    };
    const result = await run(
      extension,
      `{ palettes(filter: { mood: WILD }) { __typename name ... on Palette { colors mood shout } }
         generations { edges { node { palette { name mood } } } } }`,
    );
    expect(result).toEqual({
      data: {
        palettes: [
          { __typename: 'Palette', name: 'sea', colors: ['#00f'], mood: 'WILD', shout: 'SEA' },
          { __typename: 'Other', name: 'other' },
        ],
        generations: { edges: [{ node: { palette: { name: GENERATION.prompt, mood: 'CALM' } } }] },
      },
    });
  });

  it('leads back into the types that are there', async () => {
    const result = await run(
      {
        typeDefs: 'extend type Query { best: Image }',
        resolvers: {
          Query: { best: async (_root, _args, { read }) => (await read.imagesById([IMAGE.id]))[0] },
        },
      },
      '{ best { __typename width url altText generation { status } } }',
    );
    expect(result).toEqual({
      data: {
        best: {
          __typename: 'Image',
          width: 1536,
          url: `https://images.example/${IMAGE.id}`,
          altText: GENERATION.prompt,
          generation: { status: 'SUCCEEDED' },
        },
      },
    });
  });

  it('tells what happens, as a subscription', async () => {
    const extension: SchemaExtension = {
      typeDefs: 'extend type Subscription { ticks(to: Int!): Int! }',
      resolvers: {
        Subscription: {
          ticks: {
            async *subscribe(_root, { to }: { to: number }) {
              for (let tick = 1; tick <= to; tick += 1) yield { ticks: tick };
            },
          },
        },
      },
    };
    const args = { schema: extended(extension), document: parse('subscription { ticks(to: 2) }') };
    const told = await subscribe({ ...args, contextValue: contextOf() });
    const ticks = [];
    for await (const { data } of told as AsyncIterable<ExecutionResult>) ticks.push(data?.ticks);
    expect(ticks).toEqual([1, 2]);
    const refused = await subscribe({ ...args, contextValue: contextOf({ principal: undefined }) });
    expect(errorsOf(refused as ExecutionResult)).toEqual([expect.any(UnauthenticatedError)]);
  });

  it('comes in parts, and of several plug-ins, each on top of those before', async () => {
    const plugins: ExtendingPlugin[] = [
      { name: 'one', schema: [ASPECT_RATIO, { typeDefs: 'type Tag { name: String! }' }] },
      { name: 'none' },
      {
        name: 'two',
        schema: {
          typeDefs: 'extend type Tag { size: Int! } extend type Query { tag: Tag! }',
          resolvers: {
            Query: { tag: () => ({ name: 'a' }) },
            Tag: { size: ({ name }: { name: string }) => name.length },
          },
        },
      },
    ];
    const result = await graphql({
      schema: extendWith(schema, plugins),
      source: '{ tag { name size } }',
      contextValue: contextOf(),
    });
    expect(result).toEqual({ data: { tag: { name: 'a', size: 1 } } });
  });

  it('leaves the schema that was given as it is, and is none where there is nothing to add', () => {
    const before = printSchema(schema);
    extended(ASPECT_RATIO);
    expect(printSchema(schema)).toBe(before);
    expect(extendWith(schema, [{ name: 'a' }, { name: 'b', schema: [] }])).toBe(schema);
    const diff = printSchema(lexicographicSortSchema(extended(ASPECT_RATIO)))
      .split('\n')
      .filter((line) => !printSchema(lexicographicSortSchema(schema)).split('\n').includes(line));
    expect(diff).toEqual(['  """Width to height."""', '  aspectRatio(digits: Int = 2): String!']);
  });
});

describe('what was there before an extension', () => {
  it('asks of the caller what it asked: scopes and keys', async () => {
    const source = '{ apiKeys(first: 1) { edges { cursor } } }';
    const nobody = await run(ASPECT_RATIO, '{ generations { edges { cursor } } }', { principal: undefined });
    expect(errorsOf(nobody)).toEqual([expect.any(UnauthenticatedError)]);
    expect(errorsOf(await run(ASPECT_RATIO, source))).toEqual([expect.any(ForbiddenError)]);
    const admin = makePrincipal({ scopes: new Set(['admin']) });
    expect(await run(ASPECT_RATIO, source, { principal: admin })).toEqual({
      data: { apiKeys: { edges: [] } },
    });
  });

  it('finds nodes by their ids, of every type', async () => {
    const id = btoa(`Image:${IMAGE.id}`);
    const result = await run(
      ASPECT_RATIO,
      `{ node(id: "${id}") { __typename id ... on Image { aspectRatio } } }`,
    );
    expect(result).toEqual({ data: { node: { __typename: 'Image', id, aspectRatio: '1.50' } } });
  });

  it.each<[string, SchemaExtension, string | RegExp]>([
    [
      'a field that is there',
      { typeDefs: 'extend type Image { width: Int! }' },
      'Field "Image.width" already exists in the schema. It cannot also be defined in this type extension.',
    ],
    [
      'a type that is there',
      { typeDefs: 'type Image { id: ID! }' },
      /^Type "Image" already exists in the schema\./,
    ],
    [
      'the resolver of a field that is there',
      { ...ASPECT_RATIO, resolvers: { ...ASPECT_RATIO.resolvers, Query: { generations: () => [] } } },
      'it has a resolver for Query.generations, a field that it does not add.',
    ],
    [
      'how a type is told from others',
      { ...ASPECT_RATIO, resolvers: { Image: { ...ASPECT_RATIO.resolvers?.Image, __isTypeOf: () => true } } },
      'it has a resolver for Image.__isTypeOf, a field that it does not add.',
    ],
    [
      'values of an enum',
      { typeDefs: 'extend enum ImageSize { HUGE }' },
      'it may define types, and extend object types, but has a EnumTypeExtension ImageSize.',
    ],
    [
      'fields of an input',
      { typeDefs: 'extend input GenerateImageInput { mood: String }' },
      'it may define types, and extend object types, but has a InputObjectTypeExtension GenerateImageInput.',
    ],
    [
      'the roots',
      { typeDefs: 'type Own { a: Int } schema { query: Own }' },
      'it may define types, and extend object types, but has a SchemaDefinition.',
    ],
  ])('can’t be changed: %s', (_about, extension, problem) => {
    if (typeof problem === 'string') expect(refusalOf(extension)).toBe(problem);
    else expect(refusalOf(extension)).toMatch(problem);
  });
});

describe('a mistake in an extension', () => {
  it.each<[string, SchemaExtension, string | RegExp]>([
    ['no GraphQL', { typeDefs: 'extend type {' }, /^Syntax Error/],
    [
      'a type that there is none of',
      { typeDefs: 'extend type Image { a: Nowhere }' },
      /Unknown type "Nowhere"/,
    ],
    ['a type to extend that there is none of', { typeDefs: 'extend type Nowhere { a: Int }' }, /"Nowhere"/],
    [
      'an interface that is not kept',
      { typeDefs: 'interface A { a: Int } extend type Image implements A' },
      /A\.a/,
    ],
    [
      'no resolver for a new query',
      { typeDefs: 'extend type Query { a: Int b: Int }', resolvers: { Query: { a: () => 1 } } },
      'Query.b has no resolver (`resolve`).',
    ],
    [
      'no resolver for a new mutation',
      { typeDefs: 'extend type Mutation { a: Int }' },
      'Mutation.a has no resolver (`resolve`).',
    ],
    [
      'no source for a new subscription',
      {
        typeDefs: 'extend type Subscription { a: Int }',
        resolvers: { Subscription: { a: { resolve: () => 1 } as never } },
      },
      'Subscription.a has no resolver (`subscribe`).',
    ],
    [
      'a resolver for a field that it does not define',
      { typeDefs: 'type Own { a: Int }', resolvers: { Own: { b: () => 1 } } },
      /Own\.b defined in resolvers, but not in schema/,
    ],
    [
      'a resolver for a type that it does not define',
      { typeDefs: 'type Own { a: Int }', resolvers: { Owm: { a: () => 1 } } },
      /"Owm" defined in resolvers, but not in schema/,
    ],
    [
      'both public and for a scope',
      { typeDefs: 'type Own { a: Int }', public: true, scope: 'admin' },
      'it is public, and asks for a scope.',
    ],
    [
      'mutations within a query',
      { typeDefs: 'extend type Query { m: [Mutation!]! }', resolvers: { Query: { m: () => [] } } },
      "Query.m can't lead to Mutation.",
    ],
    ['mutations behind a union', { typeDefs: 'union Any = Image | Mutation' }, "Any can't include Mutation."],
    [
      'mutations behind an interface',
      { typeDefs: 'interface Doing { a: Int } extend type Mutation implements Doing { a: Int }' },
      "Mutation can't implement an interface.",
    ],
    [
      'subscriptions within a type',
      { typeDefs: 'extend type Image { s: Subscription }' },
      "Image.s can't lead to Subscription.",
    ],
  ])('is told at the start, with the name of the plug-in: %s', (_about, extension, problem) => {
    if (typeof problem === 'string') expect(refusalOf(extension)).toBe(problem);
    else expect(refusalOf(extension)).toMatch(problem);
  });
});

describe('a new root field', () => {
  const PING = {
    typeDefs: 'extend type Query { ping: Int } extend type Mutation { pong: Int }',
    resolvers: { Query: { ping: () => 1 }, Mutation: { pong: { resolve: () => 2 } } },
  };

  it.each(['{ ping }', 'mutation { pong }'])('needs an API key: %s', async (source) => {
    expect(errorsOf(await run(PING, source, { principal: undefined }))).toEqual([
      expect.any(UnauthenticatedError),
    ]);
    expect((await run(PING, source)).errors).toBeUndefined();
  });

  it('needs none where the extension says that it is public', async () => {
    const extension = { ...PING, public: true };
    expect(await run(extension, '{ ping }', { principal: undefined })).toEqual({ data: { ping: 1 } });
  });

  it('needs the scope that the extension names; admin has all', async () => {
    const extension = { ...PING, scope: 'audit:read' } as const;
    const [refusal] = errorsOf(await run(extension, 'mutation { pong }'));
    expect(refusal).toEqual(new ForbiddenError('This API key lacks the scope that `Mutation.pong` needs.'));
    expect(errorsOf(await run(extension, '{ ping }', { principal: undefined }))).toEqual([
      expect.any(UnauthenticatedError),
    ]);
    for (const scope of ['audit:read', 'admin'] as const) {
      const principal = makePrincipal({ scopes: new Set([scope]) });
      expect(await run(extension, 'mutation { pong }', { principal })).toEqual({ data: { pong: 2 } });
    }
  });
});

describe('what a resolver of a plug-in sees of a request', () => {
  it('is who calls, what that one may read, and nothing that makes images', async () => {
    const contexts: ExtensionContext[] = [];
    const note = (context: unknown) => {
      contexts.push(context as ExtensionContext);
      return 1;
    };
    const extension: SchemaExtension = {
      typeDefs: `
        interface Seen { direct: Int }
        type Own implements Seen { direct: Int method: Int }
        extend type Query { own: Seen }
        extend type Mutation { make: Int }`,
      resolvers: {
        Query: { own: () => ({ method: (_args: unknown, context: unknown) => note(context) }) },
        Mutation: { make: (_root, _args, context) => note(context) },
        Own: { direct: (_own, _args, context) => note(context) },
        Seen: {
          __resolveType: (...[_value, context]: unknown[]) => {
            note(context);
            return 'Own';
          },
        },
      },
    };
    expect(await run(extension, '{ own { direct ... on Own { method } } }')).toEqual({
      data: { own: { direct: 1, method: 1 } },
    });
    await run(extension, 'mutation { make }');
    expect(contexts).toHaveLength(4);
    for (const context of contexts) {
      expect(Object.keys(context).sort()).toEqual(['imageUrl', 'principal', 'read', 'requestId', 'signal']);
      expect(Object.keys(context.read).sort()).toEqual([
        'generationsById',
        'imagesById',
        'imagesOf',
        'newestGenerations',
      ]);
      expect(context.principal?.clientName).toBe('tests');
      expect(context.imageUrl(IMAGE)).toBe(`https://images.example/${IMAGE.id}`);
    }
  });

  it.each([1, 604_800, 0, 604_801, -1, 0.5, 1e9, Number.NaN, Number.POSITIVE_INFINITY])(
    'links to images for a week at most: %d seconds',
    async (seconds) => {
      const extension: SchemaExtension = {
        typeDefs: 'extend type Image { link: String }',
        resolvers: { Image: { link: (image, _args, { imageUrl }) => imageUrl(image, seconds) } },
      };
      const source = `{ node(id: "${btoa(`Image:${IMAGE.id}`)}") { ... on Image { link } } }`;
      const { data, errors } = await run(extension, source);
      if (seconds === 1 || seconds === 604_800) {
        expect([data, errors]).toEqual([{ node: { link: `https://images.example/${IMAGE.id}` } }, undefined]);
      } else {
        expect(errors?.[0]?.originalError).toBeInstanceOf(InvalidInputError);
      }
    },
  );

  it('is of the ledger what the caller may see; what can’t be an id finds nothing', async () => {
    const found = async (source: string, principal: Context['principal']) => {
      const extension: SchemaExtension = {
        typeDefs: 'extend type Query { found: [Int!]! none: [Int!]! }',
        resolvers: {
          Query: {
            async found(_root, _args, { read }) {
              const { generationsById, imagesById, imagesOf, newestGenerations } = read;
              const images = await imagesOf([GENERATION.id]);
              const generations = await newestGenerations({}, 1);
              return [
                (await generationsById([GENERATION.id])).length,
                (await imagesById([IMAGE.id])).length,
                images.size,
                generations.length,
              ];
            },
            async none(_root, _args, { read: { generationsById, imagesById, imagesOf } }) {
              const ids = ['', 'no id', "'; drop table images"];
              return [
                (await generationsById(ids)).length,
                (await imagesById([])).length,
                (await imagesOf(ids)).size,
              ];
            },
          },
        },
      };
      return (await run(extension, source, { principal })).data;
    };
    expect(await found('{ found none }', makePrincipal())).toEqual({ found: [1, 1, 1, 1], none: [0, 0, 0] });
    const stranger = { clientId: '00000000-0000-7000-8000-0000000000ff' };
    // What is asked by SQL is filtered there: see createReads.
    expect(await found('{ found }', makePrincipal(stranger))).toEqual({ found: [1, 1, 0, 1] });
    const reader = makePrincipal({ ...stranger, scopes: new Set(['generations:read']) });
    expect(await found('{ found }', reader)).toEqual({ found: [1, 1, 1, 1] });
  });

  it('is the whole request for the resolvers that are built in', async () => {
    const result = await run(ASPECT_RATIO, '{ viewer { scopes } }');
    expect(result).toEqual({ data: { viewer: { scopes: ['images:generate'] } } });
  });
});

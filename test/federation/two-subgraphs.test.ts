import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { LIKES, startSubgraph } from '../support/subgraphs.ts';

interface Reference {
  readonly __typename: 'Image';
  readonly id: string;
}

describe('a router between the gateway and a subgraph that extends Image', () => {
  const popular: Reference[] = [];
  let gateway: TestGateway;
  let likes: Awaited<ReturnType<typeof startSubgraph>>;
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { GESSO_FEDERATION: 'on' } });
    likes = await startSubgraph(LIKES, {
      Query: { popular: () => popular },
      Image: {
        __resolveReference: (reference: Reference) => reference,
        likes: ({ id }: Reference) => id.length,
      },
    });
    for (const prompt of ['a boat', 'a bird']) {
      const { image } = await gateway.generateImage({ prompt });
      popular.push({ __typename: 'Image', id: image?.id ?? '' });
    }
  });
  afterAll(async () => {
    await likes?.close();
    await gateway?.close();
  });

  /** One fetch of a query plan, with the caller's key handed on. */
  async function fetchFrom(subgraph: { readonly url: string }, query: string, variables: object = {}) {
    const { body } = await post(subgraph, { query, variables }, { authorization: `Bearer ${ADMIN_KEY}` });
    expect(body.errors).toBeUndefined();
    return body.data;
  }
  const entities = (fields: string) =>
    `query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Image { ${fields} } } }`;

  it('answers { popular { likes prompt } }: their list first, then what is known here', async () => {
    const first = await fetchFrom(likes, '{ popular { __typename id likes } }');
    const representations = first.popular.map(({ __typename, id }: Reference) => ({ __typename, id }));
    const second = await fetchFrom(gateway, entities('width generation { prompt }'), { representations });
    const merged = first.popular.map((image: object, index: number) => ({
      ...image,
      ...second._entities[index],
    }));
    expect(merged).toEqual(
      popular.map((reference, index) => ({
        ...reference,
        likes: reference.id.length,
        width: expect.any(Number),
        generation: { prompt: ['a boat', 'a bird'][index] },
      })),
    );
  });

  it('answers { generations { image { likes } } }: our list first, then theirs', async () => {
    const first = await fetchFrom(gateway, '{ generations { edges { node { image { __typename id } } } } }');
    const representations = first.generations.edges.map(
      ({ node }: { node: { image: Reference } }) => node.image,
    );
    expect(representations).toEqual(popular.toReversed());
    const second = await fetchFrom(likes, entities('likes'), { representations });
    expect(second._entities).toEqual(popular.map(({ id }) => ({ likes: id.length })));
  });
});

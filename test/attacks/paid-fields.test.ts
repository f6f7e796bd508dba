import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const admin = { authorization: `Bearer ${ADMIN_KEY}` };

const aliased = (count: number, prefix = 'a'): string =>
  Array.from(
    { length: count },
    (_, index) => `${prefix}${index}: generateImage(input: { prompt: "x" }) { __typename }`,
  ).join(' ');

/** `...f0`, which spreads `...f1` twice, and so on: 2^levels spreads of the last one. */
const doubling = (levels: number, type: string, last: string): string =>
  [
    ...Array.from({ length: levels }, (_, index) => {
      const next = `...f${index + 1}`;
      return `fragment f${index} on ${type} { ${next} ${next} }`;
    }),
    `fragment f${levels} on ${type} { ${last} }`,
  ].join(' ');

describe('one operation that asks for many images', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  describe('more than it may', () => {
    afterEach(async () => {
      expect(gateway.sandbox.journal.calls()).toEqual([]);
      expect(await gateway.sql('select id from generations')).toEqual([]);
    });

    const ten = 'input: { prompt: "x", count: 10 }';
    it.each([
      ['by alias', { query: `mutation { ${aliased(11)} }` }],
      ['by a fragment', { query: `mutation { ...F } fragment F on Mutation { ${aliased(11)} }` }],
      [
        'by an inline fragment',
        { query: `mutation { ... { ${aliased(6)} ... on Mutation { ${aliased(5, 'b')} } } }` },
      ],
      [
        'by one fragment spread in several places',
        {
          query: `mutation { ...F ... { ...F } ... on Mutation { ...F } } fragment F on Mutation { ${aliased(4)} }`,
        },
      ],
      [
        'by generateImages, twice',
        {
          query: `mutation { a: generateImages(${ten}) { __typename } b: generateImages(${ten}) { __typename } }`,
        },
      ],
      [
        'by a count in a variable',
        {
          query: `mutation ($n: Int!) { a: generateImages(input: { prompt: "x", count: $n }) { __typename } ${aliased(1)} }`,
          variables: { n: 10 },
        },
      ],
      [
        'by the default of a variable for the count',
        {
          query: `mutation ($n: Int! = 10) { a: generateImages(input: { prompt: "x", count: $n }) { __typename } ${aliased(1)} }`,
        },
      ],
      [
        'by the default of a variable for the whole input',
        {
          query: `mutation ($i: GenerateImagesInput! = { prompt: "x", count: 10 }) {
            a: generateImages(input: $i) { __typename } b: generateImages(input: $i) { __typename }
          }`,
        },
      ],
      [
        'under a directive that a variable turns',
        {
          query: `mutation ($on: Boolean! = true) { ... @include(if: $on) { ${aliased(11)} } }`,
        },
      ],
      [
        'in the second of two operations',
        { query: `mutation A { ${aliased(1)} } mutation B { ${aliased(11)} }`, operationName: 'B' },
      ],
    ])('is refused before any of them is begun: %s', async (_how, body) => {
      const answer = await post(gateway, body, admin);
      expect(answer.status).toBe(400);
      expect(codesOf(answer)).toEqual(['TOO_MANY_IMAGES']);
      expect(answer.body.data).toBeUndefined();
    });

    it('is refused as an array of operations', async () => {
      const batch = Array.from({ length: 2 }, () => ({ query: `mutation { ${aliased(1)} }` }));
      const answer = await post(gateway, batch, admin);
      expect(answer.status).toBe(400);
      expect(codesOf(answer)).toEqual(['BAD_REQUEST']);
    });

    it.each([
      ['a query', `{ ...f0 } ${doubling(28, 'Query', '__typename')}`],
      ['a query, fragments first', `${doubling(28, 'Query', '__typename')} { ...f0 }`],
      ['a mutation', `mutation { ...f0 } ${doubling(28, 'Mutation', aliased(1))}`],
    ])('is refused in bounded time, when fragments double 28 times: %s', async (_what, query) => {
      const answer = await post(gateway, { query }, admin);
      expect(answer.body.data).toBeUndefined();
      expect(codesOf(answer)).toEqual(['BAD_REQUEST']);
      expect(answer.milliseconds).toBeLessThan(3_000);
    });

    it('is refused when fragments spread in a circle', async () => {
      const query = `mutation { ...A } fragment A on Mutation { ...B } fragment B on Mutation { ...A ${aliased(1)} }`;
      const answer = await post(gateway, { query }, admin);
      expect(answer.body.data).toBeUndefined();
      expect(codesOf(answer)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    });
  });

  it('gets as many as it may', async () => {
    const answer = await post(gateway, { query: `mutation { ${aliased(10)} }` }, admin);
    expect(Object.values(answer.body.data)).toEqual(
      Array.from({ length: 10 }, () => ({ __typename: 'GenerateImageSuccess' })),
    );
    expect(gateway.sandbox.journal.billed()).toHaveLength(10);
  });

  it('is judged by what it asks for, not by the operation beside it', async () => {
    const query = `mutation A { ${aliased(1)} } mutation B { ${aliased(11)} }`;
    const answer = await post(gateway, { query, operationName: 'A' }, admin);
    expect(answer.body.data).toEqual({ a0: { __typename: 'GenerateImageSuccess' } });
  });
});

describe('GESSO_IMAGES_PER_OPERATION', () => {
  it('says how many images one operation may ask for', async () => {
    const gateway = await startTestGateway({ environment: { GESSO_IMAGES_PER_OPERATION: '2' } });
    try {
      expect((await post(gateway, { query: `mutation { ${aliased(2)} }` }, admin)).status).toBe(200);
      expect(codesOf(await post(gateway, { query: `mutation { ${aliased(3)} }` }, admin))).toEqual([
        'TOO_MANY_IMAGES',
      ]);
      expect(gateway.sandbox.journal.calls()).toHaveLength(2);
    } finally {
      await gateway.close();
    }
  });
});

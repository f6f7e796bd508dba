import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const admin = { authorization: `Bearer ${ADMIN_KEY}` };
const times = (count: number, text: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ');

/** Everything that there is to know about a generation. */
const WHOLE_PAGE = `{ generations(first: 100) {
  edges { cursor node {
    id status prompt requestedSize delivery idempotencyKey provider model createdAt startedAt finishedAt
    failure { code message } client { id name }
    image {
      id width height revisedPrompt url thumbhash altText contentType byteSize sha256 createdAt
      rendition(transform: { maxWidth: 64 }) { url width height contentType }
    }
    attempts { number requestId provider outcome httpStatus errorCode startedAt finishedAt }
  } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
} }`;

describe('an operation that costs more than it looks', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  const nest = 'client { id } image { generation {';
  const floods = [
    ['depth', `{ generations { edges { node { ${nest.repeat(10)} id ${'} } '.repeat(10)} } } } }`],
    ['tokens', `{ ${times(5_000, () => '__typename')} }`],
    ['tokens in one list', `{ nodes(ids: [${times(5_000, (index) => `"${index}"`)}]) { id } }`],
    ['aliases', `{ ${times(31, (index) => `a${index}: viewer { scopes }`)} }`],
    ['aliases of __typename', `{ ${times(500, (index) => `a${index}: __typename`)} }`],
    ['directives', `{ __typename ${times(50, () => '@include(if: true)')} }`],
    ['directives that there are not', `{ __typename ${times(300, (index) => `@a${index}`)} }`],
    ['the size of a page', '{ generations(first: 2000000000) { edges { cursor } } }'],
    ['brackets', '{a'.repeat(900)],
    ['lists in lists', `{ nodes(ids: ${'['.repeat(1_900)}${']'.repeat(50)}) { id } }`],
    ['objects in objects', `{ nodes(ids: ${'{a:'.repeat(640)}1) { id } }`],
    ['lists of types', `query ($a: ${'['.repeat(1_900)}) { __typename }`],
    ['fields that have to be merged', `{ ${times(600, () => 'viewer { scopes client { id } }')} }`],
  ] as const;

  it.each(floods)('is refused cheaply: %s', async (_what, query) => {
    const answer = await post(gateway, { query }, admin);
    expect(answer.body.data).toBeUndefined();
    expect(codesOf(answer)).toEqual([expect.stringMatching(/^(BAD_REQUEST|GRAPHQL_\w+_FAILED)$/)]);
    expect(answer.milliseconds).toBeLessThan(3_000);
  });

  it.each(floods)('is a bad request in the new media type: %s', async (_what, query) => {
    const answer = await post(gateway, { query }, { ...admin, accept: 'application/graphql-response+json' });
    expect(answer.status).toBe(400);
  });

  it.each([
    ['a whole page of everything', WHOLE_PAGE],
    ['the introspection of a tool', getIntrospectionQuery({ inputValueDeprecation: true })],
  ])('is not %s', async (_what, query) => {
    const answer = await post(gateway, { query }, admin);
    expect(answer.body.errors).toBeUndefined();
    expect(answer.status).toBe(200);
  });
});

import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const admin = { authorization: `Bearer ${ADMIN_KEY}` };
const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

const slip = { prompt: 'x', sizes: 'AUTO' };
const misspelt = [
  ['a field', { query: '{ viewr { scopes } }' }],
  ['an argument', { query: '{ node(idd: "x") { id } }' }],
  ['a type', { query: '{ node(id: "x") { ... on Imag { id } } }' }],
  [
    'an enum value',
    { query: 'mutation { generateImage(input: { prompt: "x", size: AUTOO }) { __typename } }' },
  ],
  [
    'an enum value in a variable',
    {
      query: 'mutation ($s: ImageSize!) { generateImage(input: { prompt: "x", size: $s }) { __typename } }',
      variables: { s: 'AUTOO' },
    },
  ],
  [
    'an input field in a variable',
    {
      query: 'mutation ($i: GenerateImageInput!) { generateImage(input: $i) { __typename } }',
      variables: { i: slip },
    },
  ],
] as const;

describe('in production', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { NODE_ENV: 'production' } });
  });
  afterAll(() => gateway.close());

  const introspections = [
    ['of everything', getIntrospectionQuery()],
    ['of one type', '{ __type(name: "Image") { name } }'],
    ['in a fragment', 'query { ...F } fragment F on Query { s: __schema { types { name } } }'],
  ] as const;

  it.each(introspections)(
    'a stranger gets no introspection %s, whoever asked before',
    async (_what, query) => {
      expect(codesOf(await post(gateway, { query }))).toContain('GRAPHQL_VALIDATION_FAILED');
      expect((await post(gateway, { query }, admin)).body.errors).toBeUndefined();
      const again = await post(gateway, { query });
      expect(codesOf(again)).toContain('GRAPHQL_VALIDATION_FAILED');
      expect(again.body.data).toBeUndefined();
    },
  );

  it('a stranger gets no introspection by GET either', async () => {
    const query = '{ __schema { types { name } } }';
    const response = await fetch(`${gateway.url}/graphql?${new URLSearchParams({ query })}`);
    expect(await response.json()).not.toHaveProperty('data');
  });

  it('a known caller builds its tools from introspection', async () => {
    const { body } = await post(gateway, { query: getIntrospectionQuery() }, admin);
    expect(buildClientSchema(body.data as IntrospectionQuery).getType('Image')).toBeDefined();
  });

  it.each(misspelt)('nobody is told what is meant by %s', async (_what, body) => {
    const answer = await post(gateway, body);
    expect(answer.body.errors?.length).toBeGreaterThan(0);
    expect(JSON.stringify(answer.body)).not.toMatch(/did you mean|suggestion/i);
  });

  it('serves no GraphiQL', async () => {
    const response = await fetch(`${gateway.url}/graphql`, { headers: browser });
    expect(response.headers.get('content-type')).not.toContain('html');
    expect(await response.text()).not.toContain('<');
  });
});

describe('in development', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it.each(misspelt)('everybody is told what is meant by %s', async (_what, body) => {
    expect(JSON.stringify((await post(gateway, body)).body)).toMatch(/Did you mean/);
  });

  it('serves GraphiQL to browsers, with a first query that is valid and makes an image', async () => {
    const response = await fetch(`${gateway.url}/graphql`, { headers: browser });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    const query = defaultQueryOf(await response.text());

    const { body } = await post(gateway, { query: getIntrospectionQuery() });
    expect(validate(buildClientSchema(body.data as IntrospectionQuery), parse(query))).toEqual([]);
    const answer = await post(gateway, { query }, admin);
    expect(answer.body.data.generateImage).toMatchObject({
      __typename: 'GenerateImageSuccess',
      image: { rendition: { width: 640 } },
    });
  });
});

/** What the page hands to GraphiQL as its first query. */
function defaultQueryOf(page: string): string {
  const literal = /"defaultQuery":\s*("(?:[^"\\]|\\.)*")/.exec(page)?.[1];
  if (literal === undefined) throw new Error('The page names no default query.');
  return JSON.parse(literal) as string;
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, isUnionType, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endingOf } from '../src/dispatcher/ending.ts';
import { InvalidPictureError, ProviderFailure, StorageError } from '../src/errors.ts';
import { type Attempt, type Generation, SCOPES } from '../src/generation.ts';
import { endingOfCancel } from '../src/ledger/cancellations.ts';
import { ATTEMPT_RING, REQUEST_RING } from '../src/pipeline.ts';
import { resultOf } from '../src/schema/generate-image-result.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { createGraphqlClient, type GraphqlClient } from './support/graphql-client.ts';
import { type SampleGateway, sampleFolder, startSampleGateway } from './support/readme-gateway.ts';
import {
  deadLinksOf,
  pageOf,
  pages,
  ROOT,
  samplesOf,
  settingsTable,
  tableOf,
} from './support/readme-pages.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const schema = buildSchema(readFileSync(join(ROOT, 'schema.graphql'), 'utf8'));
const column = (rows: readonly string[][], index = 0): string[] =>
  rows.map((row) => row[index]?.replaceAll('`', '') ?? '');

describe('every page', () => {
  it.each(pages)('$path links to nothing that is missing', (page) => {
    expect(deadLinksOf(page)).toEqual([]);
  });

  it.each(samplesOf('graphql'))('has operations that the schema takes: $page', ({ text }) => {
    expect(validate(schema, parse(text))).toEqual([]);
  });
});

describe('docs/configuration.md', () => {
  it('has every setting, with its default, as src/config.ts has it', () => {
    const between = /<!-- settings:[^\n]*-->\n([\s\S]*?)\n<!-- \/settings -->/.exec(
      pageOf('docs/configuration.md').text,
    )?.[1];
    expect(between).toBe(settingsTable());
  });
});

describe('the README', () => {
  it('has every scope', () => {
    expect(column(tableOf('README.md', 'API keys'))).toEqual([...SCOPES]);
  });

  it('draws both rings as they are', () => {
    const labels = [
      ...readFileSync(join(ROOT, 'docs/flow.svg'), 'utf8').matchAll(/<text[^>]*>([^<]+)</g),
    ].map(([, label]) => label);
    const drawn = labels.filter((label) => [...REQUEST_RING, ...ATTEMPT_RING].some((name) => name === label));
    expect(drawn).toEqual([...REQUEST_RING, ...ATTEMPT_RING]);
  });
});

describe('docs/idempotency.md', () => {
  const attempt = (outcome: Attempt['outcome']) => [{ outcome } as Attempt];
  const failure = (outcome: 'NOT_ACCEPTED' | 'UNKNOWN') => new ProviderFailure('', { outcome });
  const rejected = (rejection: 'CONTENT_POLICY' | 'REQUEST' | 'OPERATOR') =>
    new ProviderFailure('', { outcome: 'REJECTED', rejection });
  /** What the rows of the table speak of, in their order; the first, success, is no ending of a failure. */
  const ENDINGS: readonly [error: unknown, attempts: readonly Attempt[]][] = [
    [rejected('CONTENT_POLICY'), attempt('REJECTED')],
    [rejected('REQUEST'), attempt('REJECTED')],
    [rejected('OPERATOR'), attempt('REJECTED')],
    [failure('NOT_ACCEPTED'), attempt('NOT_ACCEPTED')],
    [failure('UNKNOWN'), attempt('UNKNOWN')],
    [new InvalidPictureError(''), attempt('PENDING')],
    [new StorageError(''), attempt('PENDING')],
  ];
  /** The last rows: what was canceled, by the attempts on record. */
  const CANCELS = [attempt('NOT_ACCEPTED'), attempt('PENDING')];
  const [success, ...all] = tableOf('docs/idempotency.md', 'How it ends');
  const rows = all.slice(0, ENDINGS.length);
  const canceled = all.slice(ENDINGS.length);

  it('has a row for every ending', () => {
    expect(success?.slice(1)).toEqual(['`GenerateImageSuccess`', '', 'held', 'held']);
    expect(all).toHaveLength(ENDINGS.length + CANCELS.length);
  });

  it.each(rows.map((row, index) => ({ row, ending: ENDINGS[index] ?? [undefined, []] })))(
    'says as it is: $row.0',
    ({ row, ending: [error, attempts] }) => {
      const [, answers = '', retryable, ...keys] = row;
      const members = [...answers.matchAll(/`(\w+)`/g)].map(([, member]) => member);
      for (const [index, delivery] of (['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const).entries()) {
        const { status, failure, keyHeld } = endingOf(error, delivery, attempts);
        const generation = { status, failure, keyHeld } as Generation;
        const result = resultOf({ generation, image: undefined, replayed: false });
        expect(result.__typename).toBe(members[index] ?? members[0]);
        expect(keyHeld).toBe(keys[index] === 'held');
        const said = retryable === 'with a free key' ? keys[index] === 'free' : retryable === 'yes';
        expect(result).toHaveProperty('retryable', said);
      }
    },
  );

  it.each(canceled.map((row, index) => ({ row, attempts: CANCELS[index] ?? [] })))(
    'says as it is: $row.0',
    ({ row: [, answer, retryable, ...keys], attempts }) => {
      expect(answer).toBe('`GenerationCanceledError`');
      for (const [index, delivery] of (['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const).entries()) {
        const { keyHeld } = endingOfCancel(delivery, attempts);
        const generation = { status: 'CANCELED', keyHeld } as Generation;
        expect(keyHeld).toBe(keys[index] === 'held');
        const said = retryable === 'with a free key' ? keys[index] === 'free' : retryable === 'yes';
        expect(resultOf({ generation, image: undefined, replayed: false })).toMatchObject({
          retryable: said,
        });
      }
    },
  );
});

describe('docs/errors.md', () => {
  let database: TestDatabase;
  let gateway: SampleGateway;
  let client: GraphqlClient;
  let url: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    gateway = await startSampleGateway(await sampleFolder(), {
      environment: {
        DATABASE_URL: database.url,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_ADMIN_KEY: ADMIN_KEY,
        GESSO_IMAGES_PER_OPERATION: '2',
      },
    });
    client = createGraphqlClient(() => gateway.url, ADMIN_KEY);
    const { image } = await client.generateImage({ prompt: 'a boat' });
    url = image?.url ?? '';
  });
  afterAll(async () => {
    await gateway.close();
    await database.drop();
  });

  it('has every member of the union', () => {
    const union = schema.getType('GenerateImageResult');
    const members = isUnionType(union) ? union.getTypes().map(({ name }) => name) : [];
    const listed = column(tableOf('docs/errors.md', 'The members of `GenerateImageResult`'));
    expect(listed.sort()).toEqual(members.sort());
  });

  const JSON_TYPE = { 'content-type': 'application/json' };
  const post = (body: string | object, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...JSON_TYPE, authorization: `Bearer ${ADMIN_KEY}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const expiring = async () => {
    const { generations } = await client.query<{
      generations: { edges: { node: { image: { url: string } } }[] };
    }>('{ generations(first: 1) { edges { node { image { url(expiresInSeconds: 1) } } } } }');
    const shortLived = generations.edges[0]?.node.image.url ?? '';
    await expect.poll(async () => (await fetch(shortLived)).status, { timeout: 10_000 }).not.toBe(200);
    return fetch(shortLived);
  };

  /** What provokes each code. Left out are those that need a fault of the gateway, its database or its disk. */
  const PROVOKED: Readonly<Record<string, () => Promise<Response>>> = {
    UNAUTHENTICATED: () => post({ query: '{ viewer { scopes } }' }, { authorization: 'Bearer nobody' }),
    FORBIDDEN: async () => {
      const { createApiKey } = await client.query<{ createApiKey: { secret: string } }>(
        `mutation { createApiKey(input: { clientName: "my-app", scopes: ["images:generate"] }) {
          ... on CreateApiKeySuccess { secret }
        } }`,
      );
      const authorization = `Bearer ${createApiKey.secret}`;
      return post({ query: '{ auditEvents { edges { cursor } } }' }, { authorization });
    },
    GRAPHQL_PARSE_FAILED: () => post({ query: '{' }),
    GRAPHQL_VALIDATION_FAILED: () => post({ query: '{ nothing }' }),
    BAD_USER_INPUT: () => post({ query: '{ generations(first: 1000) { edges { cursor } } }' }),
    OPERATION_RESOLUTION_FAILURE: () => post({ query: 'query A { __typename } query B { __typename }' }),
    BAD_REQUEST: () => post('{'),
    TOO_MANY_IMAGES: () =>
      post({ query: 'mutation { generateImages(input: { prompt: "a boat", count: 3 }) { __typename } }' }),
    METHOD_NOT_ALLOWED: () => fetch(`${gateway.url}/graphql`, { method: 'PUT' }),
    NOT_ACCEPTABLE: () => post({ query: '{ __typename }' }, { accept: 'image/png' }),
    NOT_FOUND: () => post({ query: 'subscription { generationUpdated(id: "nothing") { id } }' }),
    PAYLOAD_TOO_LARGE: () => post({ query: ' '.repeat(1024 * 1024) }),
    UNSUPPORTED_MEDIA_TYPE: () => post('{}', { 'content-type': 'text/plain' }),
    UNSUPPORTED_CONTENT_ENCODING: () => post('{}', { 'content-encoding': 'gzip' }),
  };
  const PROVOKED_OF_IMAGES: Readonly<Record<string, () => Promise<Response>>> = {
    URL_TAMPERED: () => fetch(url.replace('/images/', '/images/0')),
    METHOD_NOT_ALLOWED: () => fetch(url, { method: 'POST' }),
    URL_EXPIRED: expiring,
    RANGE_NOT_SATISFIABLE: () => fetch(url, { headers: { range: 'bytes=999999999-' } }),
  };
  const UNPROVOKED = [
    'INTERNAL_SERVER_ERROR',
    'SERVICE_UNAVAILABLE',
    'TOO_MANY_SUBSCRIPTIONS',
    'IMAGE_NOT_FOUND',
    'STORAGE_FAILED',
  ];

  const topLevel = tableOf('docs/errors.md', 'Top-level errors');
  const ofImages = tableOf('docs/errors.md', 'Image URLs');

  it('provokes every code that it can', () => {
    const provoked = [...Object.keys(PROVOKED), ...Object.keys(PROVOKED_OF_IMAGES), ...UNPROVOKED];
    expect(new Set(column([...topLevel, ...ofImages]))).toEqual(new Set(provoked));
  });

  /** Checks that the row of the table tells what happens. */
  async function hold(rows: readonly string[][], code: string, provoke: () => Promise<Response>) {
    const response = await provoke();
    const body = (await response.json()) as {
      errors?: { extensions?: { code?: string } }[];
      error?: { code?: string };
    };
    expect(body.errors?.[0]?.extensions?.code ?? body.error?.code).toBe(code);
    expect(String(response.status)).toBe(rows[column(rows).indexOf(code)]?.[1]);
  }

  it.each(Object.entries(PROVOKED))('knows %s and its status', (code, provoke) =>
    hold(topLevel, code, provoke),
  );

  it.each(Object.entries(PROVOKED_OF_IMAGES))('knows %s of images and its status', (code, provoke) =>
    hold(ofImages, code, provoke),
  );
});

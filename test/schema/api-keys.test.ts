import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createGraphqlClient, type GraphqlClient } from '../support/graphql-client.ts';

interface ApiKey {
  readonly id: string;
  readonly client: { readonly id: string; readonly name: string };
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
  readonly imagesPerDay: number | null;
}
interface Created {
  readonly __typename: string;
  readonly apiKey: ApiKey;
  readonly secret: string;
  readonly issues: { readonly path: string[]; readonly message: string }[];
}

const KEY = 'id client { id name } scopes createdAt lastUsedAt revokedAt imagesPerDay';

describe('API keys by mutation', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  const create = async (input: object): Promise<Created> =>
    (
      await gateway.query<{ createApiKey: Created }>(
        `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
          __typename
          ... on CreateApiKeySuccess { secret apiKey { ${KEY} } }
          ... on InvalidInputError { retryable issues { path message } }
        } }`,
        { input },
      )
    ).createApiKey;
  const revoke = async (id: string) =>
    (
      await gateway.query<{ revokeApiKey: { __typename: string; retryable?: boolean; apiKey?: ApiKey } }>(
        `mutation ($id: ID!) { revokeApiKey(input: { id: $id }) {
          __typename ... on RevokeApiKeySuccess { apiKey { ${KEY} } } ... on UserError { retryable }
        } }`,
        { id },
      )
    ).revokeApiKey;
  const find = async (id: string): Promise<ApiKey | null> =>
    (
      await gateway.query<{ node: ApiKey | null }>(
        `query ($id: ID!) { node(id: $id) { ... on ApiKey { ${KEY} } } }`,
        { id },
      )
    ).node;
  const callerWith = (secret: string): GraphqlClient => createGraphqlClient(() => gateway.url, secret);

  it('are made with what was asked for, and work at once', async () => {
    const { __typename, apiKey, secret } = await create({
      clientName: '  A shop  ',
      scopes: ['images:generate', 'usage:read', 'images:generate'],
      imagesPerDay: 5,
    });
    expect(__typename).toBe('CreateApiKeySuccess');
    expect(secret).toMatch(/^gesso_[0-9a-f]{16}_[\w-]{43}$/);
    expect(apiKey).toMatchObject({
      client: { name: 'A shop' },
      scopes: ['images:generate', 'usage:read'],
      imagesPerDay: 5,
      lastUsedAt: null,
      revokedAt: null,
    });
    const { body } = await callerWith(secret).send(
      '{ viewer { client { id name } scopes quota { limit } } }',
    );
    expect(body.data.viewer).toEqual({
      client: apiKey.client,
      scopes: ['images:generate', 'usage:read'],
      quota: { limit: 5 },
    });
  });

  it('of one client name belong to one client', async () => {
    const [one, two] = [
      await create({ clientName: 'twin', scopes: ['images:generate'] }),
      await create({ clientName: 'twin', scopes: ['generations:read'] }),
    ];
    expect(one.apiKey.client.id).toBe(two.apiKey.client.id);
    expect(one.secret).not.toBe(two.secret);
    expect(two.apiKey.imagesPerDay).toBeNull();
  });

  it.each([
    ['clientName', { clientName: '' }],
    ['clientName', { clientName: '   ' }],
    ['clientName', { clientName: 'x'.repeat(101) }],
    ['clientName', { clientName: 'a\nb' }],
    ['clientName', { clientName: 'a\0b' }],
    ['clientName', { clientName: 'a\ud800' }],
    ['clientName', { clientName: 'a\u202eb' }],
    ['scopes', { scopes: [] }],
    ['scopes', { scopes: ['images:generate', 'everything'] }],
    ['scopes', { scopes: ['ADMIN'] }],
    ['imagesPerDay', { imagesPerDay: -1 }],
  ])('are refused for a wrong %s: %j', async (field, wrong) => {
    const [before] = await gateway.sql<{ count: string }>('select count(*) from api_keys');
    const result = await create({ clientName: 'a client', scopes: ['images:generate'], ...wrong });
    expect(result).toMatchObject({ __typename: 'InvalidInputError', retryable: false });
    expect(result.issues).toEqual([{ path: ['input', field], message: expect.any(String) }]);
    expect(await gateway.sql('select count(*) from api_keys')).toEqual([before]);
  });

  it('are refused with every rule that was broken', async () => {
    const { issues } = await create({ clientName: '', scopes: [], imagesPerDay: -1 });
    expect(issues.map(({ path }) => path)).toEqual([
      ['input', 'clientName'],
      ['input', 'scopes'],
      ['input', 'imagesPerDay'],
    ]);
  });

  it('stop working when they are revoked, and say since when', async () => {
    const { apiKey, secret } = await create({ clientName: 'leaver', scopes: ['images:generate'] });
    const caller = callerWith(secret);
    expect((await caller.send('{ viewer { scopes } }')).status).toBe(200);
    const revoked = await revoke(apiKey.id);
    expect(revoked).toMatchObject({ __typename: 'RevokeApiKeySuccess', apiKey: { id: apiKey.id } });
    expect(revoked.apiKey?.revokedAt).toEqual(expect.any(String));
    await expect
      .poll(async () => (await caller.send('{ viewer { scopes } }')).status, { timeout: 5_000 })
      .toBe(401);
    expect(await find(apiKey.id)).toMatchObject({ revokedAt: revoked.apiKey?.revokedAt });
    // A second time changes nothing.
    expect((await revoke(apiKey.id)).apiKey?.revokedAt).toBe(revoked.apiKey?.revokedAt);
  });

  it.each([
    ['nonsense', 'nonsense'],
    ['of another type', Buffer.from('Client:01978800-0000-7000-8000-000000000000').toString('base64')],
    ['unknown', Buffer.from('ApiKey:01978800-0000-7000-8000-000000000000').toString('base64')],
  ])('are not found to be revoked by an id that is %s', async (_what, id) => {
    expect(await revoke(id)).toMatchObject({ __typename: 'ApiKeyNotFoundError', retryable: false });
  });

  it('are listed without their secrets', async () => {
    const { secret, apiKey } = await create({ clientName: 'listed', scopes: ['audit:read'] });
    const { body } = await gateway.send(`{ apiKeys(first: 1) { edges { node { ${KEY} } } } }`);
    expect(body.data.apiKeys.edges).toEqual([{ node: apiKey }]);
    expect(JSON.stringify(body)).not.toContain(secret.slice(-43));
  });

  it('say when they were last used', async () => {
    const { apiKey, secret } = await create({ clientName: 'user', scopes: ['images:generate'] });
    const before = Date.now();
    await callerWith(secret).send('{ viewer { scopes } }');
    // Uses are written down once a minute, and when the gateway stops.
    await gateway.restart();
    const lastUsedAt = (await find(apiKey.id))?.lastUsedAt;
    expect(Date.parse(lastUsedAt ?? '')).toBeGreaterThanOrEqual(before);
  });

  it('are on the audit trail, made and revoked, without their secrets', async () => {
    const { apiKey, secret } = await create({ clientName: 'on record', scopes: ['images:generate'] });
    await revoke(apiKey.id);
    const { body } = await gateway.send(
      `query ($client: ID!) { auditEvents(filter: { clientId: $client }) {
        edges { node { action message requestId client { name } } }
      } }`,
      { client: apiKey.client.id },
    );
    expect(body.data.auditEvents.edges).toEqual(
      ['API_KEY_REVOKED', 'API_KEY_CREATED'].map((action) => ({
        node: {
          action,
          message: expect.stringContaining(secret.split('_')[1] ?? ''),
          requestId: expect.any(String),
          client: { name: 'on record' },
        },
      })),
    );
    expect(JSON.stringify(body)).not.toContain(secret.slice(-43));
  });
});

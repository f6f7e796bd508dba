import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway, UPSTREAM_KEY } from '../support/gateway.ts';

const VIEWER = { query: '{ viewer { client { name } } }' };
const keyHeader = (key: string) => ({ authorization: `Bearer ${key}` });

/** Every row of every table, of the queue too, as JSON. */
async function dump({ sql }: TestGateway): Promise<string> {
  const tables = await sql<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const contents: string[] = [];
  for (const { name } of tables) {
    const [row] = await sql<{ rows: string }>(
      `select coalesce(json_agg(t), '[]')::text as rows from ${name} t`,
    );
    contents.push(`${name} ${row?.rows}`);
  }
  return contents.join('\n');
}

describe('a dump of the database', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it('holds no key that could be used', async () => {
    const client = await gateway.createClient('a client');
    await client.generateImage({ prompt: 'a fish', idempotencyKey: 'one' });
    await gateway.query(
      'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename } }',
      {
        input: { clientName: 'another', scopes: ['admin'] },
      },
    );
    const everything = await dump(gateway);

    // It does hold what proves the key, so the search was in the right place.
    expect(everything).toContain(createHash('sha256').update(client.key).digest('hex'));
    const secretPart = client.key.split('_').slice(2).join('_');
    expect(everything).not.toContain(secretPart);
    expect(everything).not.toContain(ADMIN_KEY);
    expect(everything).not.toContain(UPSTREAM_KEY);
  });

  it('opens nothing with what it does hold', async () => {
    const client = await gateway.createClient('a client');
    const hash = createHash('sha256').update(client.key).digest('hex');
    const publicId = client.key.split('_')[1];
    for (const guess of [hash, `gesso_${publicId}_${hash}`, `gesso_${publicId}_${hash.slice(0, 43)}`]) {
      expect((await post(gateway, VIEWER, keyHeader(guess))).status).toBe(401);
    }
  });
});

describe('a key that is revoked', () => {
  let here: TestGateway;
  let there: TestGateway;
  beforeAll(async () => {
    here = await startTestGateway();
    there = await startTestGateway({ environment: { DATABASE_URL: here.databaseUrl } });
  });
  // The second one first: the database belongs to the first.
  afterAll(async () => {
    await there.close();
    await here.close();
  });

  it('stops working on every replica at once, also where it was just used', async () => {
    const { key } = await here.createClient('a client');
    for (const gateway of [here, there, here, there]) {
      expect((await post(gateway, VIEWER, keyHeader(key))).status).toBe(200);
    }
    const { apiKeys } = await here.query<{ apiKeys: { edges: { node: { id: string } }[] } }>(
      '{ apiKeys(first: 1) { edges { node { id } } } }',
    );
    await here.query('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { __typename } }', {
      id: apiKeys.edges[0]?.node.id,
    });
    // NOTIFY takes some milliseconds; a cache that has to grow old would take a minute.
    await vi.waitFor(
      async () => {
        for (const gateway of [here, there]) {
          const answer = await post(gateway, VIEWER, keyHeader(key));
          expect(answer.status).toBe(401);
          expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
        }
      },
      { timeout: 5_000, interval: 10 },
    );
  });
});

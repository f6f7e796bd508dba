import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  anyUsableApiKey,
  apiKeysById,
  createApiKey,
  findApiKey,
  listApiKeys,
  noteKeyUse,
  publicIdOf,
  revokeApiKey,
  sha256Hex,
} from '../../src/ledger/api-keys.ts';
import { CHANNELS } from '../../src/ledger/notifications.ts';
import { NOON } from '../../src/testing/made-up.ts';
import { openTestLedger, type TestLedger } from '../support/ledger.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());

const make = (changes = {}) =>
  createApiKey(
    ledger.db,
    {
      clientName: 'shop',
      scopes: ['images:generate'],
      imagesPerDay: undefined,
      requestId: 'r-1',
      ...changes,
    },
    NOON,
  );
const linesOf = (requestId: string) =>
  ledger.rows<{ action: string; message: string }>(
    'select action, message from audit_events where request_id = $1 order by id',
    [requestId],
  );

describe('an API key', () => {
  it('is named by its public id, and kept as its hash alone', async () => {
    expect(await anyUsableApiKey(ledger.db)).toBe(false);
    const { apiKey, secret } = await make();
    expect(secret).toMatch(/^gesso_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    expect(publicIdOf(secret)).toBe(apiKey.publicId);
    expect(apiKey.secretSha256).toBe(sha256Hex(secret));
    expect(await anyUsableApiKey(ledger.db)).toBe(true);
    const dump = await ledger.rows(
      'select to_jsonb(k) from api_keys k union all select to_jsonb(a) from audit_events a',
    );
    expect(JSON.stringify(dump)).not.toContain(secret.split('_').at(-1));
  });

  it('is found by its public id, with its client', async () => {
    const { apiKey } = await make({ scopes: ['audit:read', 'usage:read'], imagesPerDay: 5 });
    expect(await findApiKey(ledger.db, apiKey.publicId)).toEqual({ ...apiKey, clientName: 'shop' });
    expect(apiKey).toMatchObject({ scopes: ['audit:read', 'usage:read'], imagesPerDay: 5, createdAt: NOON });
    expect(await findApiKey(ledger.db, 'f'.repeat(16))).toBeUndefined();
  });

  it('shares its client with the other keys of that name, made at the same time too', async () => {
    const clientName = randomUUID();
    const keys = await Promise.all(Array.from({ length: 5 }, () => make({ clientName })));
    expect(new Set(keys.map(({ apiKey }) => apiKey.clientId)).size).toBe(1);
    expect(new Set(keys.map(({ secret }) => secret)).size).toBe(5);
  });

  it('is on the audit trail when it is made, without its secret', async () => {
    const requestId = randomUUID();
    const { apiKey } = await make({ requestId });
    const message = `Key ${apiKey.publicId} for shop: images:generate.`;
    expect(await linesOf(requestId)).toEqual([{ action: 'API_KEY_CREATED', message }]);
  });

  it('is listed newest first, page by page', async () => {
    const made = [];
    for (let times = 0; times < 3; times++) made.unshift((await make()).apiKey.id);
    const page = { limit: 2, after: undefined, before: undefined, inverted: false };
    const first = await listApiKeys(ledger.db, page);
    const next = await listApiKeys(ledger.db, { ...page, limit: 1, after: first.at(-1)?.id });
    expect([...first, ...next].map(({ id }) => id)).toEqual(made);
    expect((await apiKeysById(ledger.db, made)).map(({ id }) => id).toSorted()).toEqual(made.toSorted());
  });

  it('notes when it was last used', async () => {
    const { apiKey } = await make();
    await noteKeyUse(ledger.db, [apiKey.id], NOON);
    expect(await findApiKey(ledger.db, apiKey.publicId)).toMatchObject({ lastUsedAt: NOON });
  });
});

describe('revoking an API key', () => {
  const later = new Date(NOON.getTime() + 1_000);

  it('is told to every replica by its public id, and is on the audit trail', async () => {
    const { apiKey } = await make();
    const told: string[] = [];
    ledger.notifications.on(CHANNELS.keys, (payload) => told.push(payload));
    const requestId = randomUUID();
    expect(await revokeApiKey(ledger.db, apiKey.id, requestId, later)).toEqual({
      ...apiKey,
      revokedAt: later,
    });
    await expect.poll(() => told).toEqual([apiKey.publicId]);
    expect(await linesOf(requestId)).toEqual([
      { action: 'API_KEY_REVOKED', message: `Key ${apiKey.publicId}.` },
    ]);
    expect(await findApiKey(ledger.db, apiKey.publicId)).toMatchObject({ revokedAt: later });
  });

  it('twice keeps the first time, and is one line', async () => {
    const { apiKey } = await make();
    const requestId = randomUUID();
    const results = await Promise.all(
      [0, 1, 2].map((times) =>
        revokeApiKey(ledger.db, apiKey.id, requestId, new Date(later.getTime() + times)),
      ),
    );
    expect(new Set(results.map((key) => key?.revokedAt?.getTime())).size).toBe(1);
    expect(await linesOf(requestId)).toHaveLength(1);
  });

  it('of a key that there is none of is nothing', async () => {
    expect(await revokeApiKey(ledger.db, randomUUID(), 'r-2', later)).toBeUndefined();
  });
});

describe('publicIdOf', () => {
  const [publicId, secret] = ['0123456789abcdef', 'A'.repeat(43)];

  it('reads a well-formed key', () => {
    expect(publicIdOf(`gesso_${publicId}_${secret}`)).toBe(publicId);
  });

  it.each([
    '',
    'gesso_',
    `gesso_${publicId}`,
    `gesso_${publicId}_${secret}A`,
    `gesso_${publicId}_${secret.slice(1)}`,
    `gesso_${publicId.toUpperCase()}_${secret}`,
    `gesso_${publicId}_${secret}\n`,
    ` gesso_${publicId}_${secret}`,
    `gesso_${publicId}_${'A'.repeat(100_000)}`,
  ])('takes nothing else for one (%#)', (text) => {
    expect(publicIdOf(text)).toBeUndefined();
  });
});

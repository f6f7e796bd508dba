import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClaimResult } from '../../src/ledger/claims.ts';
import { quotaUsed, utcDay } from '../../src/ledger/quota.ts';
import { freshKey } from '../support/gateway.ts';
import { newAttempt, openTestLedger, success, type TestLedger, type TestReplica } from '../support/ledger.ts';

let ledger: TestLedger;
let second: TestReplica;
beforeAll(async () => {
  ledger = await openTestLedger();
  second = await ledger.openReplica();
});
afterAll(() => ledger.close());

const kinds = (results: readonly ClaimResult[]) => results.map(({ kind }) => kind);
const idOf = (result: ClaimResult) => ('generation' in result ? result.generation.id : undefined);

describe('a claim', () => {
  it('writes the generation, its job and its audit line in one transaction', async () => {
    const claim = ledger.claimOf({ idempotencyKey: freshKey(), prompt: 'a boat 🛶' });
    const result = await ledger.claims.claim(claim);
    expect(result).toMatchObject({
      kind: 'claimed',
      generation: { status: 'QUEUED', prompt: 'a boat 🛶', keyHeld: true, provider: 'made-up' },
    });
    const id = idOf(result);
    // `xmin` is the transaction that wrote a row.
    const rows = await ledger.rows<{ xmin: string }>(
      `select xmin::text from generations where id = $1
       union all select xmin::text from gesso_queue.job where id = $1
       union all select xmin::text from audit_events where generation_id = $1`,
      [id],
    );
    expect(rows).toHaveLength(3);
    expect(new Set(rows.map(({ xmin }) => xmin)).size).toBe(1);
  });

  it('shares its transaction with those that arrive together', async () => {
    const claims = Array.from({ length: 20 }, () => ledger.claimOf());
    const ids = (await Promise.all(claims.map((claim) => ledger.claims.claim(claim)))).map(idOf);
    expect(new Set(ids).size).toBe(20);
    const rows = await ledger.rows('select distinct xmin::text from generations where id = any($1::uuid[])', [
      ids,
    ]);
    expect(rows).toHaveLength(1);
  });

  it('without a key never meets another', async () => {
    const claims = Array.from({ length: 3 }, () => ledger.claimOf({ idempotencyKey: undefined }));
    const results = await Promise.all(claims.map((claim) => ledger.claims.claim(claim)));
    expect(kinds(results)).toEqual(['claimed', 'claimed', 'claimed']);
  });
});

describe('a claim of a key that is held', () => {
  it('gets in once, however many come at the same time, on however many replicas', async () => {
    const idempotencyKey = freshKey();
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? ledger : second).claims.claim(ledger.claimOf({ idempotencyKey })),
      ),
    );
    expect(kinds(results).filter((kind) => kind === 'claimed')).toHaveLength(1);
    expect(kinds(results).filter((kind) => kind === 'held')).toHaveLength(39);
    expect(new Set(results.map(idOf)).size).toBe(1);
    expect(
      await ledger.rows('select 1 from gesso_queue.job where id = $1', [idOf(results[0] as ClaimResult)]),
    ).toHaveLength(1);
  });

  it('shows the one who holds it, with its fingerprint to compare, and leaves no trace of its own', async () => {
    const idempotencyKey = freshKey();
    const first = await ledger.claims.claim(ledger.claimOf({ idempotencyKey }));
    const requestId = randomUUID();
    const other = ledger.claimOf({ idempotencyKey, fingerprint: 'e'.repeat(64), requestId });
    expect(await second.claims.claim(other)).toMatchObject({
      kind: 'held',
      generation: { id: idOf(first), fingerprint: 'f'.repeat(64) },
      image: undefined,
    });
    expect(await ledger.rows('select 1 from generations where request_id = $1', [requestId])).toEqual([]);
    expect(await ledger.rows('select 1 from audit_events where request_id = $1', [requestId])).toEqual([]);
  });

  it('shows the image of one that succeeded', async () => {
    const idempotencyKey = freshKey();
    const run = await ledger.run({ idempotencyKey });
    const attempt = newAttempt(run);
    await ledger.attemptLog.begin(run, attempt, new AbortController().signal);
    const { image } = await ledger.runs.finish(run, success(attempt));
    const again = await second.claims.claim(ledger.claimOf({ idempotencyKey }));
    expect(again).toMatchObject({ kind: 'held', generation: { status: 'SUCCEEDED' }, image });
  });

  it('belongs to its client and its ordinal', async () => {
    const idempotencyKey = freshKey();
    const { rows } = ledger;
    const [other] = await rows<{ id: string }>(
      `insert into clients (id, name, created_at) values (gen_random_uuid(), $1, now()) returning id`,
      [randomUUID()],
    );
    const claims = [{}, { ordinal: 1 }, { ordinal: 2 }, { clientId: other?.id ?? '' }];
    const results = await Promise.all(
      claims.map((change) => ledger.claims.claim(ledger.claimOf({ idempotencyKey, ...change }))),
    );
    expect(kinds(results)).toEqual(['claimed', 'claimed', 'claimed', 'claimed']);
  });

  it('gets in again once the key is free; the old generation stays on record', async () => {
    const idempotencyKey = freshKey();
    const run = await ledger.run({ idempotencyKey });
    const failure = {
      code: 'PROVIDER_UNAVAILABLE',
      message: 'busy',
      providerCode: undefined,
      retryable: true,
      retryAfterSeconds: undefined,
    } as const;
    await ledger.runs.finish(run, {
      status: 'FAILED',
      failure,
      keyHeld: false,
      refund: true,
      attempt: undefined,
    });
    const again = await ledger.claims.claim(ledger.claimOf({ idempotencyKey }));
    expect(again.kind).toBe('claimed');
    expect(idOf(again)).not.toBe(run.generation.id);
    expect(
      await ledger.rows('select 1 from generations where idempotency_key = $1', [idempotencyKey]),
    ).toHaveLength(2);
  });
});

describe('a claim on a quota', () => {
  const used = (apiKeyId: string) => quotaUsed(ledger.db, apiKeyId, utcDay(new Date()));

  it('reserves an image of the day, and is refused when they are spent', async () => {
    const apiKeyId = randomUUID();
    const claim = () => ledger.claims.claim(ledger.claimOf({ apiKeyId, imagesPerDay: 2 }));
    expect(kinds([await claim(), await claim(), await claim()])).toEqual([
      'claimed',
      'claimed',
      'quota-spent',
    ]);
    expect(await used(apiKeyId)).toBe(2);
    expect(await ledger.rows('select 1 from generations where api_key_id = $1', [apiKeyId])).toHaveLength(2);
  });

  it('is exact when many come at the same time, on two replicas', async () => {
    const apiKeyId = randomUUID();
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        (index % 2 === 0 ? ledger : second).claims.claim(ledger.claimOf({ apiKeyId, imagesPerDay: 7 })),
      ),
    );
    expect(kinds(results).filter((kind) => kind === 'claimed')).toHaveLength(7);
    expect(await used(apiKeyId)).toBe(7);
  });

  it('costs nothing where it meets a held key, even when the quota is spent', async () => {
    const [apiKeyId, idempotencyKey] = [randomUUID(), freshKey()];
    const claim = () => ledger.claims.claim(ledger.claimOf({ apiKeyId, idempotencyKey, imagesPerDay: 1 }));
    expect(kinds([await claim(), await claim()])).toEqual(['claimed', 'held']);
    expect(await used(apiKeyId)).toBe(1);
  });

  it('leaves the key free where it is refused', async () => {
    const [apiKeyId, idempotencyKey] = [randomUUID(), freshKey()];
    const refused = await ledger.claims.claim(ledger.claimOf({ apiKeyId, idempotencyKey, imagesPerDay: 0 }));
    expect(refused).toEqual({ kind: 'quota-spent', limit: 0, day: utcDay(new Date()) });
    const raised = await ledger.claims.claim(ledger.claimOf({ apiKeyId, idempotencyKey, imagesPerDay: 1 }));
    expect(raised.kind).toBe('claimed');
  });
});

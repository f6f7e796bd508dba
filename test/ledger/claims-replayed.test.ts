import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClaims } from '../../src/ledger/claims.ts';
import type { Queue } from '../../src/ledger/queue.ts';
import { freshKey } from '../support/gateway.ts';
import { openTestLedger, type TestLedger } from '../support/ledger.ts';

describe('a batch of claims of which a part is committed when the rest fails', () => {
  let ledger: TestLedger;
  beforeAll(async () => {
    ledger = await openTestLedger();
  });
  afterAll(() => ledger.close());

  it('claims that part once, however it is replayed', async () => {
    const idempotencyKey = freshKey();
    const holder = await ledger.claims.claim(ledger.claimOf({ idempotencyKey }));
    if (holder.kind !== 'claimed') throw new Error('The key was to be held.');

    // The key is freed between the insert that meets it and the look at who holds it: its claim needs a second
    // round, in a transaction of its own. That one fails.
    let enqueued = 0;
    const enqueue: Queue['enqueue'] = async (transaction, jobs) => {
      enqueued += 1;
      if (enqueued === 1) {
        await ledger.rows('update generations set key_held = false where id = $1', [holder.generation.id]);
      }
      if (enqueued === 2) throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
      await ledger.queue.enqueue(transaction, jobs);
    };
    const queue = { ...ledger.queue, enqueue };
    const claims = createClaims({ db: ledger.db, queue, now: () => new Date(), replicaId: 'replayed' });
    const keyless = ledger.claimOf({ idempotencyKey: undefined, prompt: 'claimed in the first round' });
    const keyed = ledger.claimOf({ idempotencyKey, prompt: 'claimed in the third' });
    const results = await Promise.all([claims.claim(keyless), claims.claim(keyed)]);

    expect(results.map(({ kind }) => kind)).toEqual(['claimed', 'claimed']);
    expect(enqueued).toBe(3);
    for (const { prompt } of [keyless, keyed]) {
      expect(await ledger.rows('select id from generations where prompt = $1', [prompt])).toHaveLength(1);
    }
  });
});

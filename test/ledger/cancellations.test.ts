import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { createCancellations, endingOfCancel } from '../../src/ledger/cancellations.ts';
import { makeAttempt } from '../../src/testing/made-up.ts';
import { newAttempt, openTestLedger, success, type TestLedger } from '../support/ledger.ts';

let ledger: TestLedger;
let cancel: ReturnType<typeof createCancellations>['cancel'];
beforeAll(async () => {
  ledger = await openTestLedger();
  ({ cancel } = createCancellations({ ...ledger, now: () => new Date() }));
});
afterAll(() => ledger.close());

const wish = (generationId: string, clientId = ledger.clientId) => ({
  generationId,
  viewer: { clientId, seesAll: false },
  requestId: 'the request to cancel',
});
const signal = new AbortController().signal;
const jobsOf = (id: string) =>
  ledger.rows<{ state: string }>('select state from gesso_queue.job where id = $1', [id]);

describe('a cancel', () => {
  it('takes the job out of the queue', async () => {
    const { id } = await ledger.generation();
    expect(await cancel(wish(id))).toMatchObject({ kind: 'canceled', mayBeBilled: false });
    expect(await jobsOf(id)).toEqual([{ state: 'cancelled' }]);
  });

  it('fences whoever runs the generation: no attempt begins, and no end is written', async () => {
    const run = await ledger.run();
    const attempt = newAttempt(run);
    await ledger.attemptLog.begin(run, attempt, signal);
    expect(await cancel(wish(run.generation.id))).toMatchObject({ kind: 'canceled', mayBeBilled: true });

    await expect(ledger.runs.finish(run, success(attempt))).rejects.toBeInstanceOf(FencedError);
    await expect(ledger.attemptLog.begin(run, newAttempt(run, { number: 2 }), signal)).rejects.toBeInstanceOf(
      FencedError,
    );
    const ending = {
      outcome: 'NOT_ACCEPTED',
      httpStatus: 503,
      errorCode: undefined,
      rejection: undefined,
    } as const;
    await expect(ledger.attemptLog.fail(run, attempt, ending)).rejects.toBeInstanceOf(FencedError);
    expect(await ledger.rows('select outcome, error_code from attempts where id = $1', [attempt.id])).toEqual(
      [{ outcome: 'UNKNOWN', error_code: 'CANCELED' }],
    );
    expect(await ledger.rows('select 1 from images where generation_id = $1', [run.generation.id])).toEqual(
      [],
    );
  });

  it('and an end at the same moment leave one of the two, whole', async () => {
    const kinds: string[] = [];
    for (let round = 0; round < 20; round++) {
      const run = await ledger.run({ idempotencyKey: `raced ${round}`, delivery: 'AT_MOST_ONCE' });
      const { id } = run.generation;
      const attempt = newAttempt(run);
      await ledger.attemptLog.begin(run, attempt, signal);
      const [canceled, finished] = await Promise.allSettled([
        cancel(wish(id)),
        ledger.runs.finish(run, success(attempt)),
      ]);
      if (canceled.status === 'rejected') throw canceled.reason;
      const [row] = await ledger.rows<{ status: string; images: number; ends: number }>(
        `select status, (select count(*)::int from images where generation_id = g.id) as images,
          (select count(*)::int from audit_events e where e.generation_id = g.id
            and action in ('GENERATION_SUCCEEDED', 'GENERATION_CANCELED')) as ends
         from generations g where id = $1`,
        [id],
      );
      kinds.push(canceled.value.kind);
      if (canceled.value.kind === 'canceled') {
        expect(finished.status).toBe('rejected');
        expect(row).toEqual({ status: 'CANCELED', images: 0, ends: 1 });
      } else {
        expect(finished.status).toBe('fulfilled');
        expect(row).toEqual({ status: 'SUCCEEDED', images: 1, ends: 1 });
      }
    }
    expect(kinds).toHaveLength(20);
  });

  it('and several at once make one line of audit', async () => {
    const { id } = await ledger.generation();
    const results = await Promise.all(Array.from({ length: 10 }, () => cancel(wish(id))));
    expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['canceled']));
    const lines = await ledger.rows(
      `select request_id, message from audit_events where generation_id = $1 and action = 'GENERATION_CANCELED'`,
      [id],
    );
    expect(lines).toEqual([{ request_id: 'the request to cancel', message: 'Nothing had been sent.' }]);
  });

  it('does nothing to what is of another client, or not there', async () => {
    const { id } = await ledger.generation();
    const stranger = '00000000-0000-7000-8000-0000000000ff';
    expect(await cancel(wish(id, stranger))).toEqual({ kind: 'not-found' });
    expect(await cancel(wish(stranger))).toEqual({ kind: 'not-found' });
    expect(await jobsOf(id)).toEqual([{ state: 'created' }]);
    const admin = { ...wish(id), viewer: { clientId: stranger, seesAll: true } };
    expect(await cancel(admin)).toMatchObject({ kind: 'canceled' });
  });
});

describe('what a cancel leaves behind', () => {
  it.each([
    { outcomes: [], mayBeBilled: false },
    { outcomes: ['NOT_ACCEPTED', 'NOT_ACCEPTED'], mayBeBilled: false },
    { outcomes: ['PENDING'], mayBeBilled: true },
    { outcomes: ['UNKNOWN', 'NOT_ACCEPTED'], mayBeBilled: true },
  ] as const)('after $outcomes', ({ outcomes, mayBeBilled }) => {
    const attempts = outcomes.map((outcome) => makeAttempt({ outcome }));
    expect(endingOfCancel('AT_LEAST_ONCE', attempts)).toEqual({ mayBeBilled, keyHeld: false });
    expect(endingOfCancel('AT_MOST_ONCE', attempts)).toEqual({ mayBeBilled, keyHeld: mayBeBilled });
  });
});

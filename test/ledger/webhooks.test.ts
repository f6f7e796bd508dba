import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCancellations } from '../../src/ledger/cancellations.ts';
import { ensureClient } from '../../src/ledger/clients.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { FailedEnding } from '../../src/ledger/runs.ts';
import type { Delivery, WebhookJobs } from '../../src/ledger/webhook-jobs.ts';
import { MAX_WEBHOOKS_PER_GENERATION, type Webhooks } from '../../src/ledger/webhooks.ts';
import { newAttempt, openTestLedger, success, type TestLedger, type TestReplica } from '../support/ledger.ts';

const URL_A = 'https://hooks.example.com/a';
const URL_B = 'https://hooks.example.com/b';

let ledger: TestLedger;
let second: TestReplica;
let webhooks: Webhooks;
let jobs: WebhookJobs;
beforeAll(async () => {
  ledger = await openTestLedger({
    environment: { GESSO_WEBHOOK_HOSTS: 'hooks.example.com', GESSO_WEBHOOK_SECRET: 'secret-of-the-tests' },
  });
  second = await ledger.openReplica();
  webhooks = present(ledger.webhooks);
  jobs = present(ledger.webhookJobs);
});
afterAll(() => ledger.close());
beforeEach(() => ledger.rows('delete from gesso_queue.job'));

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('It is not there.');
  return value;
}

/** Ends the run with an image, as a replica would. */
async function succeed(run: Run): Promise<void> {
  const attempt = newAttempt(run);
  await ledger.attemptLog.begin(run, attempt, new AbortController().signal);
  await ledger.runs.finish(run, success(attempt));
}

/** A generation that has ended, with one delivery to be made. */
async function ended(clientId = ledger.clientId): Promise<string> {
  const run = await ledger.run({ webhookUrl: URL_A, clientId });
  await succeed(run);
  return run.generation.id;
}

async function takeOne(): Promise<Delivery> {
  const [delivery, ...others] = await jobs.take(10, []);
  expect(others).toEqual([]);
  return present(delivery);
}

const join = (run: Run, url: string) =>
  webhooks.join({ generationId: run.generation.id, clientId: ledger.clientId, url });

const linesOf = (generationId: string) =>
  ledger.rows<{ action: string; message: string; clientId: string; requestId: string }>(
    `select action, message, client_id as "clientId", request_id as "requestId" from audit_events
    where generation_id = $1 and action like 'WEBHOOK%' order by id`,
    [generationId],
  );

/** What is put off is due now. */
const dueNow = () => ledger.rows(`update gesso_queue.job set start_after = now() - interval '1 s'`);

describe('a webhook', () => {
  it('is delivered after the end of its generation, and tells of it', async () => {
    const run = await ledger.run({ webhookUrl: URL_A, idempotencyKey: 'told-1' });
    expect(await jobs.take(10, [])).toEqual([]);
    await succeed(run);
    expect(await takeOne()).toEqual({
      job: { id: expect.any(String), retryCount: 0 },
      webhookId: expect.any(String),
      url: URL_A,
      tryNumber: 1,
      cutOffTries: 0,
      requestId: run.requestId,
      generation: expect.objectContaining({
        id: run.generation.id,
        clientId: ledger.clientId,
        status: 'SUCCEEDED',
        idempotencyKey: 'told-1',
      }),
      image: expect.objectContaining({ generationId: run.generation.id, width: 64, height: 48 }),
    });
  });

  it.each(['FAILED', 'UNKNOWN'] as const)('tells of an end that is %s', async (status) => {
    const run = await ledger.run({ webhookUrl: URL_A });
    const failure: FailedEnding['failure'] = {
      code: 'PROVIDER_UNAVAILABLE',
      message: 'Away.',
      providerCode: undefined,
      retryable: true,
      retryAfterSeconds: undefined,
    };
    await ledger.runs.finish(run, { status, failure, keyHeld: false, refund: true, attempt: undefined });
    expect(await takeOne()).toMatchObject({
      generation: { status, failure: { code: failure.code } },
      image: undefined,
    });
  });

  it('tells of a cancel', async () => {
    const { id } = await ledger.generation({ webhookUrl: URL_A });
    const { cancel } = createCancellations({ ...ledger, now: () => new Date() });
    const wish = {
      generationId: id,
      viewer: { clientId: ledger.clientId, seesAll: false },
      requestId: 'cancel-1',
    };
    expect(await cancel(wish)).toMatchObject({ kind: 'canceled' });
    expect(await takeOne()).toMatchObject({ generation: { id, status: 'CANCELED' } });
    expect(await cancel(wish)).toMatchObject({ kind: 'canceled' });
    expect(await jobs.take(10, [])).toEqual([]);
  });

  it('is not delivered of an end that was rolled back', async () => {
    const run = await ledger.run({ webhookUrl: URL_A });
    const undone = ledger.db.transaction().execute(async (transaction) => {
      await webhooks.announce(transaction, [run.generation.id]);
      throw new Error('roll back');
    });
    await expect(undone).rejects.toThrow('roll back');
    expect(await jobs.take(10, [])).toEqual([]);
  });

  it('is not noted of a claim that kept nothing', async () => {
    const first = await ledger.run({ idempotencyKey: 'held-1' });
    const claim = ledger.claimOf({ idempotencyKey: 'held-1', webhookUrl: URL_A });
    expect(await ledger.claims.claim(claim)).toMatchObject({ kind: 'held' });
    await succeed(first);
    expect(await jobs.take(10, [])).toEqual([]);
  });

  it('tells that the image was removed by age meanwhile', async () => {
    const generationId = await ended();
    await ledger.rows('update images set removed_at = now() where generation_id = $1', [generationId]);
    expect((await takeOne()).image?.removedAt).toBeInstanceOf(Date);
  });

  it('is dropped with a generation that was removed by age', async () => {
    const generationId = await ended();
    for (const table of ['images', 'attempts']) {
      await ledger.rows(`delete from ${table} where generation_id = $1`, [generationId]);
    }
    await ledger.rows('delete from generations where id = $1', [generationId]);
    expect(await jobs.take(10, [])).toEqual([]);
    expect(await ledger.rows(`select 1 from gesso_queue.job where state < 'completed'`)).toEqual([]);
  });
});

describe('who joins', () => {
  it('is told as well, of a generation that runs', async () => {
    const run = await ledger.run({ webhookUrl: URL_A });
    expect(await join(run, URL_B)).toBe('noted');
    expect(await jobs.take(10, [])).toEqual([]);
    await succeed(run);
    expect((await jobs.take(10, [])).map(({ url }) => url).sort()).toEqual([URL_A, URL_B]);
  });

  it('is told at once, of a generation that has ended', async () => {
    const run = await ledger.run();
    await succeed(run);
    expect(await join(run, URL_B)).toBe('noted');
    expect(await takeOne()).toMatchObject({ url: URL_B, generation: { status: 'SUCCEEDED' } });
  });

  it('is told once, however often it asks, before and after the end', async () => {
    const run = await ledger.run({ webhookUrl: URL_A });
    await Promise.all([1, 2, 3, 4].map(() => join(run, URL_A)));
    await Promise.all([1, 2, 3, 4].map(() => join(run, URL_B)));
    await succeed(run);
    expect(await jobs.take(10, [])).toHaveLength(2);
    await Promise.all([URL_A, URL_B, URL_A].map((url) => join(run, url)));
    expect(await jobs.take(10, [])).toEqual([]);
  });

  it('is told once, and never not at all, in the very moment of the end', async () => {
    for (let round = 0; round < 20; round++) {
      const run = await ledger.run();
      await Promise.all([succeed(run), join(run, URL_A), join(run, URL_B)]);
      expect((await jobs.take(10, [])).map(({ url }) => url).sort()).toEqual([URL_A, URL_B]);
    }
  });

  it('is one of so many at most', async () => {
    const run = await ledger.run({ webhookUrl: URL_A });
    for (let index = 1; index < MAX_WEBHOOKS_PER_GENERATION; index++) {
      expect(await join(run, `${URL_B}/${index}`)).toBe('noted');
    }
    expect(await join(run, `${URL_B}/one-too-many`)).toBe('too-many');
    expect(await join(run, URL_A)).toBe('noted');
    await succeed(run);
    expect(await jobs.take(100, [])).toHaveLength(MAX_WEBHOOKS_PER_GENERATION);
  });

  it('is told to ask again where the generation was removed just now', async () => {
    const gone = { generationId: randomUUID(), clientId: ledger.clientId, url: URL_A };
    await expect(webhooks.join(gone)).rejects.toThrow('removed by age');
  });
});

describe('deliveries', () => {
  it('are taken by one replica each, and no more than asked for', async () => {
    for (let index = 0; index < 6; index++) await ended();
    const others = present(second.webhookJobs);
    const taken = await Promise.all([
      jobs.take(2, []),
      others.take(2, []),
      jobs.take(2, []),
      others.take(2, []),
    ]);
    const rest = await jobs.take(10, []);
    expect(taken.every((deliveries) => deliveries.length <= 2)).toBe(true);
    const ids = [...taken.flat(), ...rest].map(({ webhookId }) => webhookId);
    expect(new Set(ids).size).toBe(6);
    expect(ids).toHaveLength(6);
  });

  it('of some clients can be left out', async () => {
    const other = await ensureClient(ledger.db, 'another client', new Date());
    const [first, others] = [await ended(), await ended(other.id)];
    expect((await jobs.take(10, [ledger.clientId])).map(({ generation }) => generation.id)).toEqual([others]);
    expect((await jobs.take(10, [other.id])).map(({ generation }) => generation.id)).toEqual([first]);
  });

  it('that have arrived are on the audit trail, and over', async () => {
    const generationId = await ended();
    const delivery = await takeOne();
    const line = { action: 'WEBHOOK_DELIVERED', message: 'It answered.' } as const;
    await jobs.settle(delivery, { lines: [line], next: undefined });
    expect(await linesOf(generationId)).toEqual([
      { ...line, clientId: ledger.clientId, requestId: delivery.requestId },
    ]);
    await dueNow();
    expect(await jobs.take(10, [])).toEqual([]);
  });

  it('that have failed come back when it is time, under the same id', async () => {
    const generationId = await ended();
    const delivery = await takeOne();
    const line = { action: 'WEBHOOK_FAILED', message: 'It did not answer.' } as const;
    await jobs.settle(delivery, { lines: [line], next: { tryNumber: 2, delaySeconds: 4.5 } });
    expect(await linesOf(generationId)).toMatchObject([line]);
    expect(await jobs.take(10, [])).toEqual([]);
    const [due] = await ledger.rows<{ seconds: number }>(
      `select extract(epoch from start_after - now())::float as seconds from gesso_queue.job
      where name = 'webhooks' and state = 'created'`,
    );
    expect(due?.seconds).toBeGreaterThan(2);
    expect(due?.seconds).toBeLessThanOrEqual(4.5);
    await dueNow();
    const again = await takeOne();
    expect(again).toMatchObject({ webhookId: delivery.webhookId, tryNumber: 2, cutOffTries: 0 });
    expect(again.job.id).not.toBe(delivery.job.id);
  });

  it('are settled once, though the answer to it was lost and it is settled again', async () => {
    const generationId = await ended();
    const delivery = await takeOne();
    const line = { action: 'WEBHOOK_FAILED', message: 'It did not answer.' } as const;
    const settlement = { lines: [line], next: { tryNumber: 2, delaySeconds: 0 } };
    await jobs.settle(delivery, settlement);
    await jobs.settle(delivery, settlement);
    expect(await linesOf(generationId)).toHaveLength(1);
    expect(await takeOne()).toMatchObject({ tryNumber: 2 });
  });

  it('are as they were when what became of them could not be written', async () => {
    await ended();
    const delivery = await takeOne();
    const line = { action: 'WEBHOOK_FAILED', message: 'It did not answer.' } as const;
    // PostgreSQL takes no such interval.
    const next = { tryNumber: 2, delaySeconds: 1e30 };
    const settling = jobs.settle(delivery, { lines: [line], next });
    await expect(settling).rejects.toThrow();
    expect(await linesOf(delivery.generation.id)).toEqual([]);
    await jobs.releaseAll();
    expect(await takeOne()).toMatchObject({ webhookId: delivery.webhookId, tryNumber: 1, cutOffTries: 1 });
  });
});

describe('a delivery whose replica stopped', () => {
  /** As if it had been taken so long ago. */
  const age = (seconds: number) =>
    ledger.rows(`update gesso_queue.job set started_on = started_on - $1 * interval '1 second'`, [seconds]);
  /** The sweep of the heartbeat; the interval between two is over, whoever had the last one. */
  const sweep = async () => {
    await ledger.rows('update gesso_queue.queue set monitor_on = null, monitor_claim_on = null');
    await second.queue.supervise();
  };

  it('is found by the sweep of any replica, after a minute and no sooner', async () => {
    await ended();
    const lost = await takeOne();
    await age(55);
    await sweep();
    expect(await jobs.take(10, [])).toEqual([]);
    await age(10);
    await sweep();
    const found = present((await present(second.webhookJobs).take(10, []))[0]);
    expect(found).toMatchObject({ webhookId: lost.webhookId, tryNumber: 1, cutOffTries: 1 });
  });

  it('is put on record when that replica goes on, which changes nothing else', async () => {
    const generationId = await ended();
    const late = await takeOne();
    await age(65);
    await sweep();
    const now = await takeOne();
    const line = { action: 'WEBHOOK_FAILED', message: 'Late.' } as const;
    await jobs.settle(late, { lines: [line], next: { tryNumber: 2, delaySeconds: 0 } });
    expect(await jobs.take(10, [])).toEqual([]);
    expect(await linesOf(generationId)).toMatchObject([line]);
    await jobs.settle(now, { lines: [line], next: { tryNumber: 3, delaySeconds: 0 } });
    expect(await takeOne()).toMatchObject({ tryNumber: 3 });
  });

  it('is there at once for a gateway that knows that no other is running', async () => {
    await ended();
    const lost = await takeOne();
    await jobs.releaseAll();
    expect(await takeOne()).toMatchObject({ webhookId: lost.webhookId, cutOffTries: 1 });
  });
});

describe('a replica that may tell no host', () => {
  it('leaves what ends at it to those that may', async () => {
    const plain = await openTestLedger();
    const run = await plain.run({ webhookUrl: 'https://hooks.example.com/told-by-another' });
    const attempt = newAttempt(run);
    await plain.attemptLog.begin(run, attempt, new AbortController().signal);
    await plain.runs.finish(run, success(attempt));
    expect(
      await plain.rows(
        `select j.state from gesso_queue.job j join webhooks w on w.id = j.id
         where j.name = 'webhooks' and w.generation_id = $1`,
        [run.generation.id],
      ),
    ).toEqual([{ state: 'created' }]);
    await plain.close();
  });
});

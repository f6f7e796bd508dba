import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../src/ledger/run.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { openTestLedger, type TestLedger, type TestReplica } from '../support/ledger.ts';

let ledger: TestLedger;
let second: TestReplica;
beforeAll(async () => {
  ledger = await openTestLedger();
  second = await ledger.openReplica();
});
afterAll(() => ledger.close());
beforeEach(() => ledger.rows('delete from gesso_queue.job'));

/** Puts jobs into the queue, and returns their ids. */
const enqueue = (count: number) =>
  Promise.all(Array.from({ length: count }, async () => (await ledger.generation()).id));

const state = async (job: Job) => {
  const [row] = await ledger.rows<{ state: string }>('select state from gesso_queue.job where id = $1', [
    job.id,
  ]);
  return row?.state;
};

/** Puts one job into the queue, and takes it. */
async function takeOne(): Promise<Job> {
  await enqueue(1);
  const [job] = await ledger.queue.fetch(PROVIDER, 1);
  if (job === undefined) throw new Error('The queue is empty.');
  return job;
}

const complete = (replica: TestReplica, jobs: readonly Job[]) =>
  replica.db.transaction().execute((transaction) => replica.queue.complete(transaction, jobs));

describe('the queue', () => {
  it('gives each job to one replica, and no more than asked for', async () => {
    const ids = await enqueue(12);
    const taken = await Promise.all(
      [ledger, second, ledger, second].map(({ queue }) => queue.fetch(PROVIDER, 4)),
    );
    expect(taken.map((jobs) => jobs.length).every((count) => count <= 4)).toBe(true);
    const rest = await ledger.queue.fetch(PROVIDER, 100);
    const all = [...taken.flat(), ...rest].map(({ id }) => id);
    expect(all.toSorted()).toEqual(ids.toSorted());
    expect(await second.queue.fetch(PROVIDER, 1)).toEqual([]);
  });

  it('holds nothing of a claim that was rolled back', async () => {
    const rollback = new Error('roll back');
    const adding = ledger.db.transaction().execute(async (transaction) => {
      const generationId = '00000000-0000-7000-8000-00000000dead';
      await ledger.queue.enqueue(transaction, [
        { generationId, clientId: ledger.clientId, provider: PROVIDER },
      ]);
      throw rollback;
    });
    await expect(adding).rejects.toBe(rollback);
    expect(await ledger.queue.fetch(PROVIDER, 1)).toEqual([]);
  });

  it('has a released job for anyone at once, under a new claim', async () => {
    const job = await takeOne();
    expect(await second.queue.fetch(PROVIDER, 1)).toEqual([]);
    await ledger.queue.release([job]);
    expect(await second.queue.fetch(PROVIDER, 1)).toEqual([{ ...job, retryCount: job.retryCount + 1 }]);
  });

  it('gives a job back however often: it never gives up on one', async () => {
    let job = await takeOne();
    for (let times = 0; times < 20; times++) {
      await ledger.queue.release([job]);
      const [again] = await ledger.queue.fetch(PROVIDER, 1);
      if (again === undefined) expect.fail(`It was gone after ${times} releases.`);
      job = again;
    }
    expect(job.retryCount).toBe(20);
  });

  it('completes a job together with the transaction that ends its generation', async () => {
    const job = await takeOne();
    const undone = ledger.db.transaction().execute(async (transaction) => {
      await ledger.queue.complete(transaction, [job]);
      throw new Error('roll back');
    });
    await expect(undone).rejects.toThrow('roll back');
    expect(await state(job)).toBe('active');
    await complete(ledger, [job]);
    expect(await state(job)).toBe('completed');
    await ledger.queue.release([job]);
    expect(await ledger.queue.fetch(PROVIDER, 1)).toEqual([]);
  });

  it('does not let a stale claim settle the next owner’s', async () => {
    const stale = await takeOne();
    await ledger.queue.release([stale]);
    const [job] = await second.queue.fetch(PROVIDER, 1);
    if (job === undefined) expect.fail('The job was not there.');
    await complete(ledger, [stale]);
    await ledger.queue.release([stale]);
    expect(await state(job)).toBe('active');
    expect(await ledger.queue.fetch(PROVIDER, 1)).toEqual([]);
    await complete(second, [job]);
    expect(await state(job)).toBe('completed');
  });

  it('gives back everything that an earlier life was at work on, and nothing that has ended', async () => {
    await enqueue(5);
    const jobs = await ledger.queue.fetch(PROVIDER, 3);
    await complete(ledger, jobs.slice(0, 1));
    await second.queue.releaseAll();
    const found = (await second.queue.fetch(PROVIDER, 100)).map(({ id }) => id);
    expect(found).toHaveLength(4);
    expect(found).not.toContain(jobs[0]?.id);
  });
});

describe('the queues of several providers', () => {
  const other = (changes = {}) => ledger.generation({ provider: 'other', ...changes });
  beforeAll(() => ledger.queue.serve(['other']));

  it('are fetched each by itself, and settled together', async () => {
    const [{ id: there }, [here]] = [await other(), await enqueue(1)];
    const jobs = [...(await ledger.queue.fetch(PROVIDER, 5)), ...(await ledger.queue.fetch('other', 5))];
    expect(jobs.map(({ id, provider }) => [id, provider])).toEqual([
      [here, PROVIDER],
      [there, 'other'],
    ]);
    await ledger.queue.touch(jobs);
    await ledger.queue.release(jobs);
    expect(await Promise.all(jobs.map(state))).toEqual(['retry', 'retry']);
    const again = [...(await second.queue.fetch(PROVIDER, 5)), ...(await second.queue.fetch('other', 5))];
    await complete(second, again);
    expect(await Promise.all(jobs.map(state))).toEqual(['completed', 'completed']);
  });

  it('wait for a replica that has the provider', async () => {
    const third = await ledger.openReplica();
    await ledger.queue.serve(['only-here']);
    const { id } = await other({ provider: 'only-here' });
    expect(await third.queue.fetch(PROVIDER, 5)).toEqual([]);
    expect(await third.queue.fetch('other', 5)).toEqual([]);
    expect((await ledger.queue.fetch('only-here', 5)).map((job) => job.id)).toEqual([id]);
  });

  it('are all given back at the start of a next life, also those that it does not serve', async () => {
    const { id } = await other();
    await enqueue(1);
    await ledger.queue.fetch('other', 1);
    await ledger.queue.fetch(PROVIDER, 1);
    await second.queue.releaseAll();
    expect((await ledger.queue.fetch('other', 1)).map((job) => job.id)).toEqual([id]);
    expect(await ledger.queue.fetch(PROVIDER, 1)).toHaveLength(1);
  });

  it('lose the jobs of canceled generations, whoever has them, with the transaction that cancels', async () => {
    const [waiting, active] = [await other(), await other()];
    const [job] = await ledger.queue.fetch('other', 1);
    const generations = [waiting, active].map(({ id }) => ({ id, provider: 'other' }));
    const undone = second.db.transaction().execute(async (transaction) => {
      await second.queue.cancel(transaction, generations);
      throw new Error('roll back');
    });
    await expect(undone).rejects.toThrow('roll back');
    if (job === undefined) expect.fail('The job was not there.');
    expect(await state(job)).toBe('active');
    await second.db.transaction().execute((transaction) => second.queue.cancel(transaction, generations));
    expect(await ledger.queue.fetch('other', 5)).toEqual([]);
    await ledger.queue.release([job]);
    await complete(ledger, [job]);
    expect(await state(job)).toBe('cancelled');
  });
});

describe('the one queue of all providers that a development version had', () => {
  it('hands its jobs on to those of their providers at the next start, and is gone', async () => {
    await ledger.queue.serve(['unserved']);
    const [first, { id: there }] = [await enqueue(2), await ledger.generation({ provider: 'unserved' })];
    const [active] = await ledger.queue.fetch(PROVIDER, 1);
    const { boss } = ledger.queue;
    await boss.createQueue('generations');
    await ledger.rows(`update gesso_queue.job set name = 'generations' where name like 'generations.%'`);
    await boss.deleteQueue('generations.unserved');
    await expect(ledger.openReplica()).rejects.toThrow(
      'A gateway of an earlier development version is at work',
    );
    await ledger.rows(`update gesso_queue.job set heartbeat_on = now() - interval '1 minute'`);
    const next = await ledger.openReplica();
    expect(await boss.getQueue('generations')).toBeNull();
    expect((await next.queue.fetch(PROVIDER, 5)).map(({ id }) => id)).toEqual(
      first.filter((id) => id !== active?.id),
    );
    await next.queue.releaseAll();
    const found = (await next.queue.fetch(PROVIDER, 5)).map(({ id }) => id);
    expect(found.toSorted()).toEqual(first.toSorted());
    expect((await next.queue.fetch('unserved', 5)).map(({ id }) => id)).toEqual([there]);
  });
});

describe('the queue, looking for lost jobs', () => {
  /** As if the job had last been touched so long ago. */
  const age = (job: Job, seconds: number) =>
    ledger.rows(
      `update gesso_queue.job set heartbeat_on = heartbeat_on - $2 * interval '1 second' where id = $1`,
      [job.id, seconds],
    );
  /** The interval between two looks is over, whoever had the last one. */
  const supervise = async () => {
    await ledger.rows(`update gesso_queue.queue set monitor_on = null, monitor_claim_on = null`);
    await second.queue.supervise();
  };

  it('looks in every queue, also of a provider that this replica does not have', async () => {
    await ledger.queue.serve(['elsewhere']);
    await ledger.generation({ provider: 'elsewhere' });
    const [lost] = await ledger.queue.fetch('elsewhere', 1);
    if (lost === undefined) expect.fail('The job was not there.');
    await age(lost, 11);
    await supervise();
    expect(await state(lost)).toBe('retry');
  });

  it('gives back the one whose heartbeat stopped, and leaves the one that is alive', async () => {
    const [lost, alive] = [await takeOne(), await takeOne()];
    await age(lost, 11);
    await age(alive, 9);
    await supervise();
    expect(await second.queue.fetch(PROVIDER, 10)).toEqual([{ ...lost, retryCount: 1 }]);
    expect(await state(alive)).toBe('active');
  });

  it('takes a touch for life, but only of the present claim', async () => {
    const [job, stolen] = [await takeOne(), await takeOne()];
    await age(job, 11);
    await ledger.queue.touch([job]);
    await ledger.queue.release([stolen]);
    const [present] = await second.queue.fetch(PROVIDER, 1);
    if (present === undefined) expect.fail('The job was not there.');
    await age(present, 11);
    await ledger.queue.touch([stolen]);
    await supervise();
    expect(await state(job)).toBe('active');
    expect(await state(present)).toBe('retry');
  });
});

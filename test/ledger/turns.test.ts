import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureClient } from '../../src/ledger/clients.ts';
import type { Job } from '../../src/ledger/run.ts';
import { createTurns, type Turns } from '../../src/ledger/turns.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { openTestLedger, type TestLedger, type TestReplica } from '../support/ledger.ts';

let ledger: TestLedger;
let second: TestReplica;
let turns: Turns;
let others: Turns;
/** Two clients, in the order of their ids. */
let [first, last] = ['', ''];
beforeAll(async () => {
  ledger = await openTestLedger();
  second = await ledger.openReplica();
  await ledger.queue.serve(['other']);
  turns = createTurns(ledger.db);
  others = createTurns(second.db);
  const made = [
    await ensureClient(ledger.db, 'a', new Date()),
    await ensureClient(ledger.db, 'b', new Date()),
  ];
  [first = '', last = ''] = made.map(({ id }) => id).toSorted();
});
afterAll(() => ledger.close());
beforeEach(async () => {
  await ledger.rows('delete from gesso_queue.job');
  await ledger.rows('delete from generations');
});

/** Makes generations one after the other, and returns their ids. */
async function make(clientId: string, count: number, provider = PROVIDER): Promise<string[]> {
  const ids: string[] = [];
  for (let made = 0; made < count; made++) ids.push((await ledger.generation({ clientId, provider })).id);
  return ids;
}
const grant = (clientId: string, fresh: number, changes = {}) => ({
  ...{ provider: PROVIDER, clientId, fresh, lost: 0 },
  ...changes,
});
const idsOf = (jobs: readonly Job[]) => jobs.map(({ id }) => id).toSorted();

describe('who waits', () => {
  it('is told by provider and client, with what runs and what was lost', async () => {
    await make(first, 3);
    await make(first, 1, 'other');
    const lastOnes = await make(last, 4);
    const taken = await turns.take([grant(last, 3)]);
    await ledger.runs.start(taken);
    await ledger.queue.release(taken.slice(0, 1));
    expect(await turns.claimants()).toEqual([
      { provider: PROVIDER, clientId: first, running: 0, waits: true, lost: 0 },
      { provider: PROVIDER, clientId: last, running: 2, waits: true, lost: 1 },
      { provider: 'other', clientId: first, running: 0, waits: true, lost: 0 },
    ]);
    await ledger.runs.start(await turns.take([grant(last, 1, { lost: 1 })]));
    expect(await turns.claimants()).toContainEqual({
      provider: PROVIDER,
      clientId: last,
      running: lastOnes.length,
      waits: false,
      lost: 0,
    });
  });

  it('does not count as lost what was given back before it was begun', async () => {
    await make(first, 1);
    await ledger.queue.release(await turns.take([grant(first, 1)]));
    expect(await turns.claimants()).toMatchObject([{ clientId: first, waits: true, running: 0, lost: 0 }]);
  });

  it('is nobody where nothing is open', async () => {
    expect(await turns.claimants()).toEqual([]);
    expect(await turns.take([grant(first, 5)])).toEqual([]);
  });
});

describe('taking turns', () => {
  it('takes what was asked for of each client, those first that were made first', async () => {
    const [a, b] = [await make(first, 4), await make(last, 4)];
    const jobs = await turns.take([grant(first, 1), grant(last, 3)]);
    expect(idsOf(jobs)).toEqual([...a.slice(0, 1), ...b.slice(0, 3)].toSorted());
    expect(jobs.filter(({ clientId }) => clientId === last)).toHaveLength(3);
    expect(jobs.every(({ provider, retryCount }) => provider === PROVIDER && retryCount === 0)).toBe(true);
  });

  it('leaves those of other providers alone', async () => {
    await make(first, 2, 'other');
    expect(await turns.take([grant(first, 2)])).toEqual([]);
    expect(await turns.take([grant(first, 2, { provider: 'other' })])).toHaveLength(2);
  });

  it('takes lost ones only as lost ones, under a new claim', async () => {
    const [lost = ''] = await make(first, 2);
    const taken = await turns.take([grant(first, 1)]);
    await ledger.runs.start(taken);
    await ledger.queue.release(taken);
    const fresh = await turns.take([grant(first, 5)]);
    expect(idsOf(fresh)).not.toContain(lost);
    expect(await turns.take([grant(first, 0, { lost: 5 })])).toEqual([
      { id: lost, retryCount: 1, provider: PROVIDER, clientId: first },
    ]);
  });

  it('never gives a job to two replicas that ask at once, and none is left over', async () => {
    const ids = await make(first, 12);
    const taken = await Promise.all([turns, others, turns, others].map((one) => one.take([grant(first, 3)])));
    const rest = await turns.take([grant(first, 12)]);
    expect(idsOf([...taken.flat(), ...rest])).toEqual(ids.toSorted());
  });

  it('is a fetch like any other: the queue knows the job, its heart and its fence', async () => {
    await make(first, 1);
    const [job] = await turns.take([grant(first, 1)]);
    if (job === undefined) expect.fail('The job was not there.');
    const row = () =>
      ledger.rows(
        `select state::text, started_on is not null as started, heartbeat_on >= now() - interval '5 s' as beats
        from gesso_queue.job where id = $1`,
        [job.id],
      );
    expect(await row()).toEqual([{ state: 'active', started: true, beats: true }]);
    expect(await second.queue.fetch(PROVIDER, 1)).toEqual([]);
    await ledger.rows(`update gesso_queue.job set heartbeat_on = now() - interval '9 s' where id = $1`, [
      job.id,
    ]);
    await ledger.queue.touch([job]);
    expect(await row()).toMatchObject([{ beats: true }]);
    await ledger.queue.release([job]);
    const [later] = await second.queue.fetch(PROVIDER, 1);
    expect(later).toEqual({ ...job, retryCount: 1 });
    await ledger.db.transaction().execute((transaction) => ledger.queue.complete(transaction, [job]));
    expect(await row()).toMatchObject([{ state: 'active' }]);
  });
});

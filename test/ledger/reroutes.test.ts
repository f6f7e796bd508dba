import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { createCancellations } from '../../src/ledger/cancellations.ts';
import type { Job, Run } from '../../src/ledger/run.ts';
import { createTurns } from '../../src/ledger/turns.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { newAttempt, openTestLedger, success, type TestLedger, type TestReplica } from '../support/ledger.ts';

const NEXT = 'next';
const ROUTE = [PROVIDER, NEXT];
const TO_NEXT = { provider: NEXT, model: 'next-1', route: ROUTE, reason: 'NOT_ACCEPTED, HTTP 503.' };
const NEVER = new AbortController().signal;

let ledger: TestLedger;
let second: TestReplica;
beforeAll(async () => {
  ledger = await openTestLedger();
  second = await ledger.openReplica();
  await ledger.queue.serve([NEXT]);
  await second.queue.serve([NEXT]);
});
afterAll(() => ledger.close());
beforeEach(async () => {
  await ledger.rows('delete from gesso_queue.job');
  await ledger.rows('delete from generations');
});

const jobOf = async (id: string) =>
  (
    await ledger.rows<{ name: string; state: string; retry_count: number }>(
      'select name, state::text, retry_count from gesso_queue.job where id = $1',
      [id],
    )
  ).map(({ name, state, retry_count }) => ({ name, state, claim: retry_count }));
const rowOf = async (id: string) =>
  (
    await ledger.rows<{ status: string; provider: string; model: string; route: string[] }>(
      'select status, provider, model, route from generations where id = $1',
      [id],
    )
  )[0];

/** Takes the job at the next provider, and begins it. */
async function beginAtNext(replica: TestReplica): Promise<Run | undefined> {
  const jobs = await replica.queue.fetch(NEXT, 1);
  return (await replica.runs.start(jobs)).runs[0];
}

describe('a generation that is handed over', () => {
  it('waits for the next provider, with its job there and nowhere else', async () => {
    const run = await ledger.run({ route: ROUTE });
    await ledger.runs.reroute(run, TO_NEXT);
    expect(await rowOf(run.generation.id)).toEqual({
      status: 'QUEUED',
      provider: NEXT,
      model: 'next-1',
      route: ROUTE,
    });
    expect(await jobOf(run.generation.id)).toMatchObject([{ name: `generations.${NEXT}`, state: 'created' }]);
    expect(await ledger.queue.fetch(PROVIDER, 10)).toEqual([]);
  });

  it('is begun there by any replica, with the attempts that were made, and within the one deadline', async () => {
    const run = await ledger.run({ route: ROUTE });
    const attempt = newAttempt(run);
    await ledger.attemptLog.begin(run, attempt, NEVER);
    const failed = {
      outcome: 'NOT_ACCEPTED',
      httpStatus: 503,
      errorCode: undefined,
      rejection: undefined,
    } as const;
    await ledger.attemptLog.fail(run, attempt, failed);
    await ledger.runs.reroute(run, TO_NEXT);
    const again = await beginAtNext(second);
    expect(again).toMatchObject({
      generation: { id: run.generation.id, status: 'RUNNING', provider: NEXT, route: ROUTE },
      attemptsMade: [{ id: attempt.id, provider: PROVIDER, outcome: 'NOT_ACCEPTED' }],
      deadlineAt: run.deadlineAt,
    });
    expect(again?.generation.startedAt).toEqual(run.generation.startedAt);
  });

  it('leaves a line in the audit trail, once', async () => {
    const run = await ledger.run({ route: ROUTE });
    await ledger.runs.reroute(run, TO_NEXT);
    await expect(ledger.runs.reroute(run, TO_NEXT)).rejects.toBeInstanceOf(FencedError);
    expect(
      await ledger.rows(
        `select request_id, client_id, message from audit_events
        where generation_id = $1 and action = 'GENERATION_REROUTED'`,
        [run.generation.id],
      ),
    ).toEqual([
      {
        request_id: run.requestId,
        client_id: ledger.clientId,
        message: `From ${PROVIDER} to ${NEXT}: NOT_ACCEPTED, HTTP 503.`,
      },
    ]);
  });

  it('can be handed over with many others at once', async () => {
    const runs: Run[] = [];
    for (let made = 0; made < 5; made++) runs.push(await ledger.run({ route: ROUTE }));
    await Promise.all(runs.map((run) => ledger.runs.reroute(run, TO_NEXT)));
    const jobs = await second.queue.fetch(NEXT, 10);
    expect(jobs.map(({ id }) => id).toSorted()).toEqual(
      runs.map(({ generation }) => generation.id).toSorted(),
    );
    expect((await second.runs.start(jobs)).runs).toHaveLength(5);
  });

  it('counts as waiting, and not as lost', async () => {
    const run = await ledger.run({ route: ROUTE });
    await ledger.runs.reroute(run, TO_NEXT);
    const claimant = { provider: NEXT, clientId: ledger.clientId };
    const turns = createTurns(ledger.db);
    expect(await turns.claimants()).toEqual([{ ...claimant, running: 0, waits: true, lost: 0 }]);
    const jobs = await turns.take([{ ...claimant, fresh: 1, lost: 0 }]);
    expect(jobs).toMatchObject([{ id: run.generation.id, provider: NEXT }]);
    expect((await ledger.runs.start(jobs)).runs).toHaveLength(1);
  });
});

describe('the fence of a generation that was handed over', () => {
  const write = (run: Run) => {
    const attempt = newAttempt(run, { number: 9 });
    return [
      () => ledger.attemptLog.begin(run, attempt, NEVER),
      () => ledger.runs.finish(run, success(attempt)),
      () => ledger.runs.reroute(run, TO_NEXT),
    ];
  };

  it('refuses every write of the run that gave up, before and after it is begun again', async () => {
    const run = await ledger.run({ route: ROUTE });
    await ledger.runs.reroute(run, TO_NEXT);
    for (const attempt of write(run)) await expect(attempt()).rejects.toBeInstanceOf(FencedError);
    const again = await beginAtNext(second);
    for (const attempt of write(run)) await expect(attempt()).rejects.toBeInstanceOf(FencedError);
    expect(await rowOf(run.generation.id)).toMatchObject({ status: 'RUNNING', provider: NEXT });
    expect(again).toBeDefined();
  });

  it('lets no earlier claim on the job begin it, however late its holder wakes', async () => {
    // Fetched, given back, and fetched again: two claims, of which the second one runs and gives up.
    const { id } = await ledger.generation({ route: ROUTE });
    const [first] = await ledger.queue.fetch(PROVIDER, 1);
    await ledger.queue.release([first as Job]);
    const [later] = await second.queue.fetch(PROVIDER, 1);
    const [run] = (await second.runs.start([later as Job])).runs;
    await second.runs.reroute(run as Run, TO_NEXT);
    for (const stale of [first, later]) {
      expect((await ledger.runs.start([stale as Job])).runs).toEqual([]);
    }
    expect(await rowOf(id)).toMatchObject({ status: 'QUEUED', provider: NEXT });
    const again = await beginAtNext(ledger);
    expect(again?.generation.id).toBe(id);
    // Nor once it is begun.
    for (const stale of [first, later]) expect((await ledger.runs.start([stale as Job])).runs).toEqual([]);
    expect(await jobOf(id)).toMatchObject([{ name: `generations.${NEXT}`, state: 'active' }]);
  });

  it('holds where the job was given back meanwhile, and where another replica has just fetched it', async () => {
    for (const fetchAgain of [false, true]) {
      const run = await ledger.run({ route: ROUTE });
      const { id } = run.generation;
      // The sweep thought that the replica was dead.
      await ledger.queue.release([run.job]);
      const fetched = fetchAgain ? await second.queue.fetch(PROVIDER, 1) : [];
      expect(fetched).toHaveLength(fetchAgain ? 1 : 0);
      await ledger.runs.reroute(run, TO_NEXT);
      expect(await jobOf(id)).toMatchObject([{ name: `generations.${NEXT}`, state: 'created' }]);
      expect((await second.runs.start(fetched)).runs).toEqual([]);
      const again = await beginAtNext(second);
      expect(again?.generation.id).toBe(id);
    }
  });

  it('lets a run that was taken over hand nothing over', async () => {
    const run = await ledger.run({ route: ROUTE });
    await ledger.queue.release([run.job]);
    const jobs = await second.queue.fetch(PROVIDER, 1);
    expect((await second.runs.start(jobs)).runs).toHaveLength(1);
    await expect(ledger.runs.reroute(run, TO_NEXT)).rejects.toBeInstanceOf(FencedError);
    expect(await jobOf(run.generation.id)).toMatchObject([
      { name: `generations.${PROVIDER}`, state: 'active' },
    ]);
  });

  it('lets it hand nothing over in one batch with its successor either, nor spoils the commit of that', async () => {
    const other = await ledger.run({ route: ROUTE });
    const run = await ledger.run({ route: ROUTE });
    await ledger.queue.release([run.job]);
    const [later] = (await ledger.runs.start(await ledger.queue.fetch(PROVIDER, 1))).runs;
    // Whichever comes first, and the same run twice.
    const given = [run, later as Run, later as Run, run, other];
    const results = await Promise.allSettled(given.map((each) => ledger.runs.reroute(each, TO_NEXT)));
    expect(results.map(({ status }) => status)).toEqual([
      ...['rejected', 'fulfilled', 'rejected', 'rejected'],
      'fulfilled',
    ]);
    const lines = await ledger.rows(
      `select 1 from audit_events where generation_id = $1 and action = 'GENERATION_REROUTED'`,
      [run.generation.id],
    );
    expect(lines).toHaveLength(1);
    const ids = [run.generation.id, other.generation.id];
    const commits = await ledger.rows('select distinct xmin::text from generations where id = any($1)', [
      ids,
    ]);
    expect(commits).toHaveLength(1);
  });

  it('moves nothing where the job is not there for a moment: to be tried again', async () => {
    const run = await ledger.run({ route: ROUTE });
    const [job] = await ledger.rows<object>('delete from gesso_queue.job where id = $1 returning *', [
      run.generation.id,
    ]);
    await expect(ledger.runs.reroute(run, TO_NEXT)).rejects.toThrow('given back');
    expect(await rowOf(run.generation.id)).toMatchObject({ status: 'RUNNING', provider: PROVIDER });
    await ledger.rows(
      'insert into gesso_queue.job select * from json_populate_record(null::gesso_queue.job, $1::json)',
      [JSON.stringify(job)],
    );
    await ledger.runs.reroute(run, TO_NEXT);
    expect(await rowOf(run.generation.id)).toMatchObject({ status: 'QUEUED', provider: NEXT });
  });
});

describe('the route of a generation', () => {
  it('is the provider alone where none is on record, as a replica of the version before leaves it', async () => {
    const generation = await ledger.generation();
    expect(await rowOf(generation.id)).toMatchObject({ route: null });
    expect(generation.route).toEqual([PROVIDER]);
  });

  it('is kept as it was claimed', async () => {
    expect((await ledger.generation({ route: ROUTE })).route).toEqual(ROUTE);
  });
});

describe('a cancel of a generation that was handed over', () => {
  it('ends it where it waits now, and its job with it', async () => {
    const run = await ledger.run({ route: ROUTE });
    await ledger.runs.reroute(run, TO_NEXT);
    const { db, queue } = ledger;
    const cancellations = createCancellations({ db, queue, now: () => new Date(), webhooks: undefined });
    const viewer = { clientId: ledger.clientId, seesAll: false };
    const canceled = await cancellations.cancel({
      generationId: run.generation.id,
      viewer,
      requestId: 'request-2',
    });
    expect(canceled).toMatchObject({ kind: 'canceled', mayBeBilled: false });
    expect(await jobOf(run.generation.id)).toMatchObject([
      { name: `generations.${NEXT}`, state: 'cancelled' },
    ]);
    expect(await beginAtNext(second)).toBeUndefined();
  });
});

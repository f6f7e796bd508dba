import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { attemptsOf } from '../../src/ledger/attempts.ts';
import { quotaUsed, utcDay } from '../../src/ledger/quota.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { FailedEnding } from '../../src/ledger/runs.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { newAttempt, openTestLedger, success, type TestLedger, type TestReplica } from '../support/ledger.ts';
import { createManualClock } from '../support/manual-clock.ts';

const clock = createManualClock();
const { signal } = new AbortController();
let ledger: TestLedger;
let second: TestReplica;
beforeAll(async () => {
  ledger = await openTestLedger({ clock });
  second = await ledger.openReplica();
});
afterAll(() => ledger.close());

const failed = (changes: Partial<FailedEnding> = {}): FailedEnding => ({
  status: 'FAILED',
  failure: {
    code: 'PROVIDER_UNAVAILABLE',
    message: 'busy',
    providerCode: undefined,
    retryable: true,
    retryAfterSeconds: undefined,
  },
  keyHeld: false,
  refund: true,
  attempt: undefined,
  ...changes,
});

/** Everything that is on record of a generation, for "nothing has changed". */
const recordOf = ({ generation: { id } }: Run) =>
  ledger.rows(
    `select g.*, (select count(*) from attempts where generation_id = g.id) as attempts,
      (select string_agg(outcome, ',' order by number) from attempts where generation_id = g.id) as outcomes,
      (select count(*) from images where generation_id = g.id) as images,
      (select count(*) from audit_events where generation_id = g.id) as lines,
      (select state::text from gesso_queue.job where id = g.id) as job
    from generations g where g.id = $1`,
    [id],
  );

/** Gives the job back and lets the second replica take it. */
async function takeOver(run: Run): Promise<Run> {
  await ledger.queue.release([run.job]);
  const jobs = await second.queue.fetch(PROVIDER, 100);
  const [taken] = (await second.runs.start(jobs.filter(({ id }) => id === run.job.id))).runs;
  if (taken === undefined) throw new Error('The job was not taken over.');
  return taken;
}

async function begin(run: Run, changes = {}) {
  const attempt = newAttempt(run, changes);
  await ledger.attemptLog.begin(run, attempt, signal);
  return attempt;
}

describe('starting a run', () => {
  it('marks the generation as RUNNING, with one deadline from its first run', async () => {
    const { generation, deadlineAt, attemptsMade, requestId } = await ledger.run({ requestId: 'request-9' });
    expect(generation).toMatchObject({ status: 'RUNNING', startedAt: clock.now(), deadlineAt });
    expect(deadlineAt).toEqual(new Date(clock.now().getTime() + 600_000));
    expect(attemptsMade).toEqual([]);
    expect(requestId).toBe('request-9');
  });

  it('tells every replica of each generation that runs', async () => {
    const told: string[] = [];
    second.notifications.on('gesso_changes', (payload) => told.push(payload));
    const [one, other] = [await ledger.run(), await ledger.run()];
    const ids = [one, other].map(({ generation }) => generation.id);
    await expect.poll(() => told).toEqual(expect.arrayContaining(ids));
    expect(await second.runs.statusOf(one.generation.id)).toBe('RUNNING');
  });

  it('keeps that deadline on a takeover, and brings the attempts that were made', async () => {
    const run = await ledger.run();
    const attempt = await begin(run);
    await clock.advance(60_000);
    const taken = await takeOver(run);
    expect(taken.deadlineAt).toEqual(run.deadlineAt);
    expect(taken.generation.startedAt).toEqual(run.generation.startedAt);
    expect(taken.attemptsMade).toMatchObject([{ id: attempt.id, number: 1, outcome: 'PENDING' }]);
    expect(taken.job.retryCount).toBeGreaterThan(run.job.retryCount);
  });

  it('leaves out what has ended meanwhile, and ends its job', async () => {
    const run = await ledger.run();
    const taken = await takeOver(run);
    await second.runs.finish(taken, failed());
    expect(await ledger.runs.start([run.job])).toEqual({ runs: [], refused: [] });
    expect(await recordOf(run)).toMatchObject([{ status: 'FAILED', job: 'completed' }]);
  });

  it('does not take a generation back from a later claim on its job', async () => {
    // As where a replica is stopped between its fetch and its start, for longer than its heartbeat.
    const { id } = await ledger.generation();
    const [job] = (await ledger.queue.fetch(PROVIDER, 100)).filter((fetched) => fetched.id === id);
    if (job === undefined) expect.fail('The job was not fetched.');
    await ledger.queue.release([job]);
    const [later] = (await second.runs.start(await second.queue.fetch(PROVIDER, 100))).runs;
    if (later === undefined) expect.fail('The job was not fetched again.');
    expect(await ledger.runs.start([job])).toEqual({ runs: [], refused: [] });
    await expect(begin(later)).resolves.toBeDefined();
    expect(await recordOf(later)).toMatchObject([{ status: 'RUNNING', runner: later.runner, job: 'active' }]);
  });
});

describe('a run that was taken over', () => {
  it('may not begin, fail or finish anything: its late writes change nothing', async () => {
    const run = await ledger.run();
    const attempt = await begin(run);
    const taken = await takeOver(run);
    const before = await recordOf(taken);
    const ending = {
      outcome: 'NOT_ACCEPTED',
      httpStatus: 503,
      errorCode: undefined,
      rejection: undefined,
    } as const;

    await expect(begin(run, { number: 2 })).rejects.toThrow(FencedError);
    await expect(ledger.attemptLog.fail(run, attempt, ending)).rejects.toThrow(FencedError);
    await expect(ledger.runs.finish(run, success(attempt))).rejects.toThrow(FencedError);
    await expect(ledger.runs.finish(run, failed())).rejects.toThrow(FencedError);
    // Nor does settling the job that it once had.
    await ledger.queue.release([run.job]);
    await ledger.queue.touch([run.job]);
    expect(await recordOf(taken)).toEqual(before);

    await expect(second.attemptLog.fail(taken, attempt, ending)).resolves.toBeUndefined();
    await expect(second.runs.finish(taken, failed())).resolves.toBeDefined();
    await expect(ledger.runs.finish(run, success(attempt))).rejects.toThrow(FencedError);
    expect(await recordOf(taken)).toMatchObject([{ status: 'FAILED', images: '0', job: 'completed' }]);
  });

  it('does not spoil the writes that share its batch', async () => {
    const [stale, healthy] = [await ledger.run(), await ledger.run()];
    await takeOver(stale);
    const outcomes = await Promise.allSettled([begin(stale), begin(healthy)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    const ends = await Promise.allSettled([
      ledger.runs.finish(stale, failed()),
      ledger.runs.finish(healthy, failed()),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });
});

describe('finishing a run', () => {
  it('writes the image, the attempt, the audit lines and the end of the job together', async () => {
    const run = await ledger.run();
    const attempt = await begin(run);
    await clock.advance(2_000);
    const { generation, image } = await ledger.runs.finish(run, success(attempt));
    expect(generation).toMatchObject({ status: 'SUCCEEDED', finishedAt: clock.now(), model: 'made-up-1' });
    expect(image).toMatchObject({ generationId: generation.id, width: 64, height: 48 });
    expect(await recordOf(run)).toMatchObject([{ job: 'completed', outcomes: 'SUCCEEDED', images: '1' }]);
    const written = await ledger.rows(
      `select xmin::text from generations where id = $1
       union select xmin::text from images where generation_id = $1
       union select xmin::text from attempts where generation_id = $1
       union select xmin::text from audit_events
         where generation_id = $1 and action in ('ATTEMPT_FINISHED', 'GENERATION_SUCCEEDED')`,
      [generation.id],
    );
    expect(written).toHaveLength(1);
    const lines = await ledger.rows<{ action: string }>(
      'select action from audit_events where generation_id = $1 order by id',
      [generation.id],
    );
    expect(lines.map(({ action }) => action)).toEqual([
      'GENERATION_REQUESTED',
      'ATTEMPT_STARTED',
      'ATTEMPT_FINISHED',
      'GENERATION_SUCCEEDED',
    ]);
  });

  it('twice is the same as once: the second answer is the first, and nothing is written', async () => {
    const run = await ledger.run();
    const attempt = await begin(run);
    const first = await ledger.runs.finish(run, success(attempt));
    const before = await recordOf(run);
    await clock.advance(1_000);
    expect(await ledger.runs.finish(run, success(attempt))).toEqual(first);
    expect(await recordOf(run)).toEqual(before);
  });

  it('does not turn one end into another', async () => {
    const run = await ledger.run();
    const attempt = await begin(run);
    await ledger.runs.finish(run, success(attempt));
    await expect(ledger.runs.finish(run, failed())).rejects.toThrow(FencedError);
    expect(await recordOf(run)).toMatchObject([{ status: 'SUCCEEDED', failure: null, key_held: false }]);
  });

  it('tells every replica which generation has ended', async () => {
    const run = await ledger.run();
    const told: string[] = [];
    second.notifications.on('gesso_generations', (payload) => told.push(payload));
    await ledger.runs.finish(run, failed());
    await expect.poll(() => told.some((payload) => payload.includes(run.generation.id))).toBe(true);
  });

  it('frees the key where the ending says so, and keeps the failure', async () => {
    const run = await ledger.run({ idempotencyKey: randomUUID() });
    const failure = { ...failed().failure, retryAfterSeconds: 7, providerCode: 'busy' };
    const { generation } = await ledger.runs.finish(run, failed({ failure }));
    expect(generation).toMatchObject({ keyHeld: false, failure, status: 'FAILED' });
    const held = await ledger.run({ idempotencyKey: randomUUID() });
    const unknown = failed({ status: 'UNKNOWN', keyHeld: true, refund: false });
    expect((await ledger.runs.finish(held, unknown)).generation).toMatchObject({
      keyHeld: true,
      status: 'UNKNOWN',
    });
  });

  it('gives the reservation of the day back where nothing may have been billed, and only there', async () => {
    const apiKeyId = randomUUID();
    const used = () => quotaUsed(ledger.db, apiKeyId, utcDay(clock.now()));
    const limited = () => ledger.run({ apiKeyId, imagesPerDay: 5 });
    const [billed, free] = [await limited(), await limited()];
    expect(await used()).toBe(2);
    await ledger.runs.finish(billed, failed({ refund: false }));
    expect(await used()).toBe(2);
    await ledger.runs.finish(free, failed({ refund: true }));
    await ledger.runs.finish(free, failed({ refund: true }));
    expect(await used()).toBe(1);
  });

  it('takes text from upstream that PostgreSQL would refuse', async () => {
    const run = await ledger.run();
    const failure = { ...failed().failure, message: 'no\0 \ud800', providerCode: 'a\0b' };
    const { generation } = await ledger.runs.finish(run, failed({ failure }));
    expect(generation.failure).toMatchObject({ message: 'no \ufffd', providerCode: 'ab' });
  });
});

describe('the attempts of a run', () => {
  it('are committed when `begin` resolves, and told oldest first', async () => {
    const run = await ledger.run();
    const first = await begin(run);
    const ending = {
      outcome: 'UNKNOWN',
      httpStatus: 502,
      errorCode: 'bad_gateway',
      rejection: undefined,
    } as const;
    await ledger.attemptLog.fail(run, first, ending);
    const next = await begin(run, { number: 2 });
    expect((await attemptsOf(second.db, [run.generation.id])).get(run.generation.id)).toMatchObject([
      { id: first.id, number: 1, ...ending, finishedAt: clock.now() },
      { id: next.id, number: 2, outcome: 'PENDING', finishedAt: undefined },
    ]);
  });

  it('are on record once, though the answer to the write was lost and it was written again', async () => {
    const run = await ledger.run();
    const attempt = await begin(run);
    await ledger.attemptLog.begin(run, attempt, signal);
    expect(await recordOf(run)).toMatchObject([{ attempts: '1' }]);
  });

  it('can not share a number', async () => {
    const run = await ledger.run();
    await begin(run);
    await expect(begin(run)).rejects.toThrow('attempts_generation_id_number_key');
  });
});

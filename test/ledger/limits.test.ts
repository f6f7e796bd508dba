import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { limitsOf, refuseUnknownProviders, roomBeside } from '../../src/ledger/limits.ts';
import type { Job } from '../../src/ledger/run.ts';
import type { Started } from '../../src/ledger/runs.ts';
import { PROVIDER } from '../../src/testing/made-up.ts';
import { newAttempt, openTestLedger, success, type TestLedger, type TestReplica } from '../support/ledger.ts';

const OTHER = 'other';
const limits = { all: 5, byProvider: new Map([[PROVIDER, 3]]) };

describe('limits of a configuration', () => {
  it('are none where neither is set: then nothing is counted', () => {
    expect(limitsOf({ callsAtOnce: undefined, providerCallsAtOnce: undefined })).toBeUndefined();
    expect(limitsOf({ callsAtOnce: 5, providerCallsAtOnce: limits.byProvider })).toEqual(limits);
    expect(limitsOf({ callsAtOnce: 5, providerCallsAtOnce: undefined })).toEqual({
      all: 5,
      byProvider: new Map(),
    });
  });

  it('are refused for a provider that there is not, with the names of those that there are', () => {
    const refused = () => refuseUnknownProviders(limits, ['bettertoken', OTHER]);
    expect(refused).toThrow(ConfigError);
    expect(refused).toThrow(
      'GESSO_PROVIDER_CALLS_AT_ONCE names made-up; the configured providers are bettertoken, other.',
    );
    expect(() => refuseUnknownProviders(limits, [PROVIDER])).not.toThrow();
    expect(() => refuseUnknownProviders(undefined, [PROVIDER])).not.toThrow();
  });

  it('leave room for what both of them allow', () => {
    const room = roomBeside([{ provider: PROVIDER, count: 2 }], limits);
    room.take(PROVIDER);
    expect([room.has(PROVIDER), room.has(OTHER)]).toEqual([false, true]);
    room.take(OTHER);
    room.take(OTHER);
    expect(room.has(OTHER)).toBe(false);
    expect(roomBeside([{ provider: PROVIDER, count: 1_000_000 }], undefined).has(PROVIDER)).toBe(true);
  });
});

describe('runs that begin under limits', () => {
  let ledger: TestLedger;
  let second: TestReplica;
  beforeAll(async () => {
    ledger = await openTestLedger({
      environment: { GESSO_CALLS_AT_ONCE: '5', GESSO_PROVIDER_CALLS_AT_ONCE: `${PROVIDER}=3` },
    });
    second = await ledger.openReplica();
    await ledger.queue.serve([OTHER]);
  });
  afterAll(() => ledger.close());
  beforeEach(async () => {
    await ledger.rows('delete from gesso_queue.job');
    await ledger.rows('delete from generations');
  });

  /** Makes so many generations, and takes their jobs. */
  async function take(count: number, provider = PROVIDER): Promise<Job[]> {
    for (let made = 0; made < count; made++) await ledger.generation({ provider });
    return ledger.queue.fetch(provider, count);
  }
  const sizes = ({ runs, refused }: Started) => [runs.length, refused.length];
  const running = () =>
    ledger.rows(
      `select provider, count(*)::integer as count from generations where status = 'RUNNING' group by 1 order by 1`,
    );

  it('are as many as each provider may have, and as all may have together', async () => {
    const [jobs, others] = [await take(4), await take(4, OTHER)];
    expect(sizes(await ledger.runs.start(jobs))).toEqual([3, 1]);
    expect(sizes(await ledger.runs.start(others))).toEqual([2, 2]);
    expect(await running()).toEqual([
      { provider: PROVIDER, count: 3 },
      { provider: OTHER, count: 2 },
    ]);
  });

  it('are never more, however many replicas begin at once', async () => {
    const jobs = await take(20);
    const chunks = Array.from({ length: 10 }, (_, index) => jobs.slice(2 * index, 2 * index + 2));
    const started = await Promise.all(
      chunks.map((chunk, index) => (index % 2 === 0 ? ledger : second).runs.start(chunk)),
    );
    expect(started.flatMap(({ runs }) => runs)).toHaveLength(3);
    expect(started.flatMap(({ refused }) => refused)).toHaveLength(17);
    expect(await running()).toEqual([{ provider: PROVIDER, count: 3 }]);
  });

  it('leave what has no room as it was: it waits, and can be given back', async () => {
    const { refused } = await ledger.runs.start(await take(5));
    await ledger.queue.release(refused);
    const ids = refused.map(({ id }) => id);
    const rows = await ledger.rows(
      `select status, runner, started_at, deadline_at from generations where id = any($1::uuid[])`,
      [ids],
    );
    const untouched = { status: 'QUEUED', runner: null, started_at: null, deadline_at: null };
    expect(rows).toEqual([untouched, untouched]);
    expect((await second.queue.fetch(PROVIDER, 9)).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  });

  it('make room when one ends', async () => {
    const { runs, refused } = await ledger.runs.start(await take(4));
    const [run] = runs;
    if (run === undefined) expect.fail('Nothing was begun.');
    expect(sizes(await second.runs.start(refused))).toEqual([0, 1]);
    const attempt = newAttempt(run);
    await ledger.attemptLog.begin(run, attempt, new AbortController().signal);
    await ledger.runs.finish(run, success(attempt));
    expect(sizes(await second.runs.start(refused))).toEqual([1, 0]);
  });

  it('can be taken over though there is no room: they have it already', async () => {
    const { runs, refused } = await ledger.runs.start(await take(4));
    await ledger.queue.release(runs.map(({ job }) => job));
    const again = await second.queue.fetch(PROVIDER, 9);
    expect(sizes(await second.runs.start([...refused, ...again]))).toEqual([3, 1]);
    expect(await running()).toEqual([{ provider: PROVIDER, count: 3 }]);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  FencedError,
  HandoverError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../../src/errors.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { Ended, RunEnding } from '../../src/ledger/runs.ts';
import { makeDelivered, PROVIDER } from '../../src/testing/made-up.ts';
import { createExecution, type ExecutionOptions, recordOfRun } from '../support/execution.ts';
import { newAttempt, openTestLedger, success, type TestLedger } from '../support/ledger.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());

const lost = new ProviderFailure('reset', { outcome: 'UNKNOWN', providerCode: 'UND_ERR_SOCKET' });

const createBench = (options?: ExecutionOptions) => createExecution(ledger, options);
const recordOf = (run: Run) => recordOfRun(ledger, run);

/** A run that takes over from one that died with this attempt on record. */
async function takeOver(delivery: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE') {
  const first = await ledger.run({ delivery });
  const attempt = newAttempt(first);
  await ledger.attemptLog.begin(first, attempt, new AbortController().signal);
  await ledger.queue.release([first.job]);
  const [run] = (await ledger.runs.start(await ledger.queue.fetch(PROVIDER, 100))).runs;
  if (run === undefined) throw new Error('The job was not taken over.');
  return { run, attempt };
}

beforeEach(() => ledger.rows('delete from gesso_queue.job'));

describe('executing a generation', () => {
  it('calls, keeps and writes down, and tells whoever waits', async () => {
    const bench = createBench();
    const run = await ledger.run();
    await bench.execute(run);
    expect(await recordOf(run)).toMatchObject({
      status: 'SUCCEEDED',
      job: 'completed',
      attempts: [['SUCCEEDED', undefined]],
    });
    expect(bench.ended).toMatchObject([{ generation: { status: 'SUCCEEDED' }, image: { width: 64 } }]);
    expect(bench.discarded).toHaveLength(1);
    expect(bench.errors).toEqual([]);
  });

  it('ends with the failure of the ring, its attempts on record', async () => {
    const bench = createBench({ call: () => Promise.reject(lost) });
    const run = await ledger.run({ delivery: 'AT_MOST_ONCE', idempotencyKey: 'held' });
    await bench.execute(run);
    expect(await recordOf(run)).toEqual({
      status: 'UNKNOWN',
      code: 'OUTCOME_UNKNOWN',
      key_held: true,
      job: 'completed',
      attempts: [['UNKNOWN', 'UND_ERR_SOCKET']],
    });
    expect(bench.ended).toMatchObject([{ generation: { status: 'UNKNOWN' }, image: undefined }]);
  });

  it.each([
    ['INVALID_IMAGE', { measure: () => Promise.reject(new InvalidPictureError('does not inflate')) }],
    ['STORAGE_FAILED', { putFile: () => Promise.reject(new StorageError('the disk is full')) }],
  ])(
    'ends %s without another call, the bytes kept aside, the attempt as possibly billed',
    async (code, fault) => {
      const bench = createBench(fault);
      const run = await ledger.run();
      await bench.execute(run);
      expect(bench.calls).toBe(1);
      expect(bench.keptAside).toHaveLength(1);
      expect(await recordOf(run)).toMatchObject({ status: 'FAILED', code, attempts: [['UNKNOWN', code]] });
    },
  );

  it('leaves a picture staged whose end the ledger refuses, and its job to the run that takes over', async () => {
    const refused = Object.assign(new Error('disk full'), { code: '53100' });
    const finish = async (run: Run, ending: RunEnding): Promise<Ended> => {
      if (ending.status === 'SUCCEEDED') throw refused;
      return ledger.runs.finish(run, ending);
    };
    const bench = createBench({ runs: { ...ledger.runs, finish } });
    const run = await ledger.run();
    await bench.execute(run);
    expect(await recordOf(run)).toMatchObject({
      status: 'RUNNING',
      job: 'active',
      attempts: [['PENDING', undefined]],
    });
    expect(bench.discarded).toEqual([]);
    expect(bench.errors).toContain(refused);
  });

  it('ends a bug as a failure that tells nothing, and tells the log', async () => {
    const bug = new TypeError('secret detail');
    const bench = createBench({ call: () => Promise.reject(bug) });
    const run = await ledger.run();
    await bench.execute(run);
    expect(bench.errors).toContain(bug);
    expect(bench.ended).toMatchObject([{ generation: { status: 'FAILED' } }]);
    expect(JSON.stringify(bench.ended)).not.toContain('secret');
    expect(await recordOf(run)).toMatchObject({ attempts: [['UNKNOWN', 'INTERNAL']] });
  });

  it('has ended all the same where the staged file can not be removed', async () => {
    const broken = new Error('EPERM');
    const staging = { find: async () => undefined, discard: () => Promise.reject(broken) };
    const bench = createBench({ staging });
    const run = await ledger.run();
    await bench.execute(run);
    expect(bench.ended).toMatchObject([{ generation: { status: 'SUCCEEDED' } }]);
    expect(bench.errors).toEqual([broken]);
    expect(await recordOf(run)).toMatchObject({ job: 'completed' });
  });
});

describe('executing a generation that was taken over', () => {
  it('delivers what its predecessor had staged, and calls nobody', async () => {
    const { run, attempt } = await takeOver('AT_MOST_ONCE');
    const { staged } = makeDelivered(attempt);
    const bench = createBench({ staged: (attemptId) => (attemptId === attempt.id ? staged : undefined) });
    await bench.execute(run);
    expect(bench.calls).toBe(0);
    expect(await recordOf(run)).toMatchObject({ status: 'SUCCEEDED', attempts: [['SUCCEEDED', undefined]] });
  });

  it('ends UNKNOWN with no second call under AT_MOST_ONCE', async () => {
    const { run } = await takeOver('AT_MOST_ONCE');
    const bench = createBench();
    await bench.execute(run);
    expect(bench.calls).toBe(0);
    expect(await recordOf(run)).toMatchObject({ status: 'UNKNOWN', attempts: [['UNKNOWN', 'CUT_OFF']] });
  });

  it('goes on with the next attempt under AT_LEAST_ONCE, both on record', async () => {
    const { run } = await takeOver('AT_LEAST_ONCE');
    const bench = createBench();
    await bench.execute(run);
    expect(bench.calls).toBe(1);
    expect(await recordOf(run)).toMatchObject({
      status: 'SUCCEEDED',
      attempts: [
        ['UNKNOWN', 'CUT_OFF'],
        ['SUCCEEDED', undefined],
      ],
    });
  });
});

describe('executing a generation, and letting go of it', () => {
  it('gives the job back when the replica shuts down before a call, and lets those who wait go', async () => {
    const run = await ledger.run();
    const bench = createBench({ attemptRing: () => Promise.reject(new HandoverError('shutting down')) });
    await bench.execute(run);
    expect(bench.handedOver).toEqual([run]);
    expect(bench.ended).toEqual([]);
    expect(await recordOf(run)).toMatchObject({ status: 'RUNNING', job: 'retry', attempts: [] });
  });

  it('leaves job and record alone when another replica owns them now', async () => {
    const run = await ledger.run();
    let later: Run | undefined;
    const bench = createBench({
      async call({ attempt }) {
        await ledger.queue.release([run.job]);
        [later] = (await ledger.runs.start(await ledger.queue.fetch(PROVIDER, 100))).runs;
        return makeDelivered(attempt);
      },
    });
    await bench.execute(run);
    expect(bench.ended).toEqual([]);
    expect(bench.handedOver).toEqual([run]);
    expect(bench.errors.some((error) => error instanceof FencedError)).toBe(true);
    // It may be on its way to commit the very same picture.
    expect([bench.discarded, bench.deleted]).toEqual([[], []]);
    expect(await recordOf(run)).toMatchObject({ status: 'RUNNING', job: 'active' });
    if (later === undefined) expect.fail('The job was not taken over.');
    const attempt = newAttempt(later, { number: 2 });
    await ledger.attemptLog.begin(later, attempt, new AbortController().signal);
    await expect(ledger.runs.finish(later, success(attempt))).resolves.toBeDefined();
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createExecute, type ExecuteOptions } from '../../src/dispatcher/execute.ts';
import {
  FencedError,
  HandoverError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../../src/errors.ts';
import type { Attempt, StagedPicture } from '../../src/generation.ts';
import { attemptsOf } from '../../src/ledger/attempts.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { Ended, RunEnding } from '../../src/ledger/runs.ts';
import type { AttemptRequest } from '../../src/middleware/middleware.ts';
import { record } from '../../src/middleware/record.ts';
import { newAttempt, openTestLedger, success, type TestLedger } from '../support/ledger.ts';
import { makeDelivered } from '../support/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());

const lost = new ProviderFailure('reset', { outcome: 'UNKNOWN', providerCode: 'UND_ERR_SOCKET' });

interface Bench {
  execute: (run: Run) => Promise<void>;
  /** How often the provider was called. */
  calls: number;
  readonly ended: Ended[];
  readonly handedOver: Run[];
  readonly errors: unknown[];
  /** Attempts whose staged files were removed, or kept aside. */
  readonly discarded: string[];
  readonly keptAside: string[];
}

/** Execution on a real ledger, with a provider, a disk and a store of the test's making. */
function createBench({
  call = async ({ attempt }: AttemptRequest) => makeDelivered(attempt),
  staged = () => undefined,
  measure = async () => ({ width: 64, height: 48, thumbhash: 'aGFzaA==' }),
  putFile = async () => {},
  ...options
}: Partial<ExecuteOptions> & {
  call?: (request: AttemptRequest) => Promise<ReturnType<typeof makeDelivered>>;
  staged?: (attemptId: string) => StagedPicture | undefined;
  measure?: ExecuteOptions['keeping']['measure'];
  putFile?: () => Promise<void>;
} = {}): Bench {
  const { attemptLog, runs, queue, db } = ledger;
  // The ledger's time, but for waits, which pass at once.
  const hurried = createManualClock({ hurried: true });
  const clock = { ...hurried, now: () => new Date(Date.now() + hurried.elapsedMs) };
  const recording = record({ log: attemptLog, now: clock.now });
  const bench: Bench = {
    calls: 0,
    ended: [],
    handedOver: [],
    errors: [],
    discarded: [],
    keptAside: [],
    execute: createExecute({
      attemptRing: (request) =>
        recording(request, (inner) => {
          bench.calls += 1;
          return call(inner);
        }),
      log: attemptLog,
      attemptsOf: async (id) => (await attemptsOf(db, [id])).get(id) ?? [],
      staging: {
        find: async (attemptId) => staged(attemptId),
        discard: async (attemptId) => void bench.discarded.push(attemptId),
      },
      keeping: {
        measure,
        store: { putFile } as never,
        keepAside: async (attemptId) => `/rejected/${bench.keptAside.push(attemptId)}`,
        clock,
        onRetry: () => {},
      },
      runs,
      queue,
      clock,
      signal: new AbortController().signal,
      handover: new AbortController().signal,
      onEnded: (ended) => bench.ended.push(ended),
      onHandedOver: (run) => bench.handedOver.push(run),
      onError: (error) => bench.errors.push(error),
      ...options,
    }),
  };
  return bench;
}

/** What the ledger says of a generation. */
async function recordOf({ generation: { id } }: Run) {
  const [row] = await ledger.rows<{ status: string; code: string | null; key_held: boolean; job: string }>(
    `select status, failure->>'code' as code, key_held,
      (select state::text from gesso_queue.job where id = g.id) as job
    from generations g where id = $1`,
    [id],
  );
  const attempts: readonly Attempt[] = (await attemptsOf(ledger.db, [id])).get(id) ?? [];
  return { ...row, attempts: attempts.map(({ outcome, errorCode }) => [outcome, errorCode]) };
}

/** A run that takes over from one that died with this attempt on record. */
async function takeOver(delivery: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE') {
  const first = await ledger.run({ delivery });
  const attempt = newAttempt(first);
  await ledger.attemptLog.begin(first, attempt, new AbortController().signal);
  await ledger.queue.release([first.job]);
  const [run] = await ledger.runs.start(await ledger.queue.fetch(100));
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
        [later] = await ledger.runs.start(await ledger.queue.fetch(100));
        return makeDelivered(attempt);
      },
    });
    await bench.execute(run);
    expect(bench.ended).toEqual([]);
    expect(bench.handedOver).toEqual([run]);
    expect(bench.errors.some((error) => error instanceof FencedError)).toBe(true);
    expect(await recordOf(run)).toMatchObject({ status: 'RUNNING', job: 'active' });
    if (later === undefined) expect.fail('The job was not taken over.');
    const attempt = newAttempt(later, { number: 2 });
    await ledger.attemptLog.begin(later, attempt, new AbortController().signal);
    await expect(ledger.runs.finish(later, success(attempt))).resolves.toBeDefined();
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mayFallBack, reasonOf } from '../../src/dispatcher/fallback.ts';
import {
  DeadlineExceededError,
  HandoverError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../../src/errors.ts';
import type { AttemptOutcome, Generation } from '../../src/generation.ts';
import { createCancellations } from '../../src/ledger/cancellations.ts';
import type { Run } from '../../src/ledger/run.ts';
import { CIRCUIT_OPEN } from '../../src/middleware/breaker.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { makeAttempt, makeDelivered, PROVIDER } from '../../src/testing/made-up.ts';
import { createExecution, type ExecutionOptions, recordOfRun } from '../support/execution.ts';
import { newAttempt, openTestLedger, type TestLedger } from '../support/ledger.ts';

const failure = (outcome: 'NOT_ACCEPTED' | 'UNKNOWN') => new ProviderFailure('no', { outcome });
const rejected = (rejection: 'CONTENT_POLICY' | 'REQUEST' | 'OPERATOR') =>
  new ProviderFailure('no', { outcome: 'REJECTED', rejection });
const redirected = new ProviderFailure('no', {
  outcome: 'REJECTED',
  rejection: 'OPERATOR',
  httpStatus: 303,
});
const attempts = (...outcomes: AttemptOutcome[]) =>
  outcomes.map((outcome, index) => makeAttempt({ number: index + 1, outcome }));

describe('mayFallBack', () => {
  const yes = { AT_LEAST_ONCE: true, AT_MOST_ONCE: true };
  const no = { AT_LEAST_ONCE: false, AT_MOST_ONCE: false };
  const byGuarantee = { AT_LEAST_ONCE: true, AT_MOST_ONCE: false };

  it.each([
    ['nothing was accepted', failure('NOT_ACCEPTED'), attempts('NOT_ACCEPTED', 'NOT_ACCEPTED'), yes],
    ['no attempt was made: the circuit is open', failure('NOT_ACCEPTED'), [], yes],
    ["the operator's mistake", rejected('OPERATOR'), attempts('REJECTED'), yes],
    ['the last one may have been accepted', failure('UNKNOWN'), attempts('UNKNOWN'), byGuarantee],
    [
      'an earlier one may have been',
      failure('NOT_ACCEPTED'),
      attempts('UNKNOWN', 'NOT_ACCEPTED'),
      byGuarantee,
    ],
    ['an earlier one, and then the key', rejected('OPERATOR'), attempts('UNKNOWN', 'REJECTED'), byGuarantee],
    ['a redirect, which may follow on a picture', redirected, attempts('REJECTED'), byGuarantee],
    [
      'a redirect on record, and then nothing accepted',
      failure('NOT_ACCEPTED'),
      [makeAttempt({ outcome: 'REJECTED', httpStatus: 302 }), ...attempts('NOT_ACCEPTED')],
      byGuarantee,
    ],
    ['the request was refused', rejected('REQUEST'), attempts('REJECTED'), no],
    ['the content was refused', rejected('CONTENT_POLICY'), attempts('REJECTED'), no],
    ['an attempt is still open', failure('NOT_ACCEPTED'), attempts('PENDING'), no],
    ['no picture was in the answer', new InvalidPictureError('no'), attempts('UNKNOWN'), no],
    ['the picture could not be stored', new StorageError('full'), attempts('PENDING'), no],
    ['the deadline passed', new DeadlineExceededError('late', { cause: failure('NOT_ACCEPTED') }), [], no],
    ['a replica shuts down', new HandoverError('shutting down'), [], no],
    ['a bug', new TypeError('a bug'), [], no],
  ])('%s', (_what, error, made, expected) => {
    for (const delivery of ['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const) {
      expect(mayFallBack(error, delivery, made), delivery).toBe(expected[delivery]);
    }
  });
});

describe('the reason of a fallback', () => {
  it('has what is known of the failure, and none of the words of a provider', () => {
    const busy = new ProviderFailure('secret detail', {
      outcome: 'NOT_ACCEPTED',
      httpStatus: 429,
      providerCode: 'slow_down',
    });
    expect(reasonOf(busy)).toBe('NOT_ACCEPTED, HTTP 429, slow_down.');
    expect(reasonOf(failure('UNKNOWN'))).toBe('UNKNOWN.');
  });
});

describe('executing a generation that has a route', () => {
  const NEXT = 'next';
  const next: Provider = {
    name: NEXT,
    models: ['next-1'],
    sizes: ['1024x1024'],
    generate: () => Promise.reject(new Error('It is not called.')),
    close: async () => {},
  };
  const onward = ({ provider }: Generation) =>
    provider === PROVIDER ? { provider: next, route: [PROVIDER, NEXT] } : undefined;

  let ledger: TestLedger;
  beforeAll(async () => {
    ledger = await openTestLedger();
    await ledger.queue.serve([NEXT]);
  });
  afterAll(() => ledger.close());
  beforeEach(() => ledger.rows('delete from gesso_queue.job'));

  const createBench = (options: ExecutionOptions) => createExecution(ledger, { onward, ...options });
  const runOf = () => ledger.run({ route: [PROVIDER, NEXT] });
  const busy = () => Promise.reject(failure('NOT_ACCEPTED'));
  const whereabouts = async ({ generation: { id } }: Run) =>
    (
      await ledger.rows(
        `select g.status, g.provider, j.name as queue, j.state::text
        from generations g join gesso_queue.job j on j.id = g.id where g.id = $1`,
        [id],
      )
    )[0];
  const atNext = { status: 'QUEUED', provider: NEXT, queue: `generations.${NEXT}`, state: 'created' };

  it('hands it over, and ends nothing', async () => {
    const bench = createBench({ call: busy });
    const run = await runOf();
    await bench.execute(run);
    expect(await whereabouts(run)).toEqual(atNext);
    expect(bench.ended).toEqual([]);
    expect(bench.handedOver).toEqual([run]);
  });

  it('ends at the last provider', async () => {
    const bench = createBench({ call: busy });
    const run = await runOf();
    await bench.execute(run);
    const [again] = (await ledger.runs.start(await ledger.queue.fetch(NEXT, 1))).runs;
    await bench.execute(again as Run);
    expect(await recordOfRun(ledger, run)).toMatchObject({
      status: 'FAILED',
      code: 'PROVIDER_UNAVAILABLE',
      attempts: [
        ['NOT_ACCEPTED', undefined],
        ['NOT_ACCEPTED', undefined],
      ],
    });
  });

  it('hands it over until the ledger answers', async () => {
    let refusals = 2;
    const { runs } = ledger;
    const reroute: typeof runs.reroute = (...given) => {
      refusals -= 1;
      return refusals < 0 ? runs.reroute(...given) : Promise.reject(new Error('deadlock detected'));
    };
    const bench = createBench({ call: busy, runs: { ...runs, reroute } });
    const run = await runOf();
    await bench.execute(run);
    expect(await whereabouts(run)).toEqual(atNext);
  });

  it('is content where the commit was made, and only its answer was lost', async () => {
    const { runs } = ledger;
    let lost = 1;
    const reroute: typeof runs.reroute = async (...given) => {
      await runs.reroute(...given);
      if (lost-- > 0) throw Object.assign(new Error('lost'), { code: 'ECONNRESET' });
    };
    const bench = createBench({ call: busy, runs: { ...runs, reroute } });
    const run = await runOf();
    await bench.execute(run);
    expect(await whereabouts(run)).toEqual(atNext);
    expect(bench.ended).toEqual([]);
    expect(bench.handedOver).toEqual([run]);
  });

  it('leaves one alone that was canceled meanwhile', async () => {
    const { db, queue } = ledger;
    const cancellations = createCancellations({ db, queue, now: () => new Date(), webhooks: undefined });
    const canceling = new AbortController();
    const run = await runOf();
    const bench = createBench({
      async call() {
        const viewer = { clientId: ledger.clientId, seesAll: true };
        await cancellations.cancel({ generationId: run.generation.id, viewer, requestId: 'request-2' });
        throw failure('NOT_ACCEPTED');
      },
    });
    await bench.execute(run, canceling.signal);
    expect(await whereabouts(run)).toMatchObject({
      status: 'CANCELED',
      provider: PROVIDER,
      state: 'cancelled',
    });
    expect(bench.ended).toEqual([]);
  });

  it('does not hand it over after the deadline', async () => {
    const run = await runOf();
    const bench = createBench({ call: busy });
    await bench.execute({ ...run, deadlineAt: new Date(Date.now() - 1) });
    expect(await whereabouts(run)).toMatchObject({ status: 'FAILED', provider: PROVIDER });
  });

  /** A run whose call is cut by a shutdown, with this failure. */
  async function cut(error: ProviderFailure, run: Run) {
    const cutting = new AbortController();
    const bench = createBench({
      signal: cutting.signal,
      async call() {
        cutting.abort();
        throw error;
      },
    });
    await bench.execute(run);
    return bench;
  }

  it.each([
    ['was not accepted', failure('NOT_ACCEPTED')],
    ['may have been accepted', failure('UNKNOWN')],
    ['met a wrong key', rejected('OPERATOR')],
  ])('leaves one whose call was cut by a shutdown, and %s, to who takes over', async (_what, error) => {
    const run = await runOf();
    const bench = await cut(error, run);
    expect(await whereabouts(run)).toMatchObject({ status: 'RUNNING', provider: PROVIDER, state: 'retry' });
    expect(bench.ended).toEqual([]);
    expect(bench.handedOver).toEqual([run]);
    // What takes over finds the attempts used up.
    const [again] = (await ledger.runs.start(await ledger.queue.fetch(PROVIDER, 1))).runs;
    await createBench({ attemptRing: () => Promise.reject(error) }).execute(again as Run);
    expect(await whereabouts(run)).toEqual(atNext);
  });

  it('ends one whose call was cut where nobody may be asked any more', async () => {
    const atMostOnce = await ledger.run({ route: [PROVIDER, NEXT], delivery: 'AT_MOST_ONCE' });
    await cut(failure('UNKNOWN'), atMostOnce);
    expect(await whereabouts(atMostOnce)).toMatchObject({ status: 'UNKNOWN', provider: PROVIDER });
    const alone = await ledger.run();
    const bench = createBench({ onward: () => undefined, signal: AbortSignal.abort(), call: busy });
    await bench.execute(alone);
    expect(await whereabouts(alone)).toMatchObject({ status: 'FAILED', provider: PROVIDER });
  });

  it('delivers what its predecessor had staged, though the circuit is open', async () => {
    const first = await runOf();
    const attempt = newAttempt(first);
    await ledger.attemptLog.begin(first, attempt, new AbortController().signal);
    await ledger.queue.release([first.job]);
    const [run] = (await ledger.runs.start(await ledger.queue.fetch(PROVIDER, 1))).runs;
    const open = new ProviderFailure('open', { outcome: 'NOT_ACCEPTED', providerCode: CIRCUIT_OPEN });
    const bench = createBench({
      attemptRing: () => Promise.reject(open),
      staged: () => makeDelivered(attempt).staged,
    });
    await bench.execute(run as Run);
    expect(bench.ended).toMatchObject([{ generation: { status: 'SUCCEEDED', provider: PROVIDER } }]);
  });
});

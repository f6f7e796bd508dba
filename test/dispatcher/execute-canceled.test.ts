import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ProviderFailure, StorageError } from '../../src/errors.ts';
import { createCancellations } from '../../src/ledger/cancellations.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { AttemptRequest } from '../../src/middleware/middleware.ts';
import { makeDelivered } from '../../src/testing/made-up.ts';
import { createExecution, recordOfRun } from '../support/execution.ts';
import { openTestLedger, type TestLedger } from '../support/ledger.ts';

let ledger: TestLedger;
let told: AbortController;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());
beforeEach(() => {
  told = new AbortController();
});

/** Somebody cancels, on whichever replica; this one is told of it by `told.abort()`, or not yet. */
async function cancel({ generation }: Run): Promise<void> {
  const viewer = { clientId: '', seesAll: true };
  const cancellations = createCancellations({ ...ledger, now: () => new Date() });
  const { kind } = await cancellations.cancel({ generationId: generation.id, viewer, requestId: 'cancel' });
  expect(kind).toBe('canceled');
}

/** As a provider: an abort ends the call. */
const answerNever = ({ signal }: AttemptRequest): Promise<never> =>
  new Promise((_, reject) => {
    const leave = () =>
      reject(new ProviderFailure('aborted', { outcome: 'UNKNOWN', providerCode: 'ABORTED' }));
    signal.addEventListener('abort', leave, { once: true });
  });

/** Nothing is said of it, and nothing is given back: all of that was the cancel's. */
const QUIET = { errors: [], ended: [], handedOver: [] };
const CANCELED = { status: 'CANCELED', code: null, job: 'cancelled' };

describe('executing a generation that is canceled', () => {
  it('ends its call at once', async () => {
    const run = await ledger.run();
    const bench = createExecution(ledger, {
      async call(request) {
        await cancel(run);
        setImmediate(() => told.abort());
        return answerNever(request);
      },
    });
    await bench.execute(run, told.signal);
    expect(bench).toMatchObject({ ...QUIET, calls: 1, discarded: [], deleted: [] });
    expect(await recordOfRun(ledger, run)).toMatchObject({
      ...CANCELED,
      attempts: [['UNKNOWN', 'CANCELED']],
    });
  });

  it('calls nobody when the word came before the call', async () => {
    const run = await ledger.run();
    await cancel(run);
    told.abort();
    const bench = createExecution(ledger);
    await bench.execute(run, told.signal);
    expect(bench).toMatchObject({ ...QUIET, calls: 0 });
    expect(await recordOfRun(ledger, run)).toMatchObject({ ...CANCELED, attempts: [] });
  });

  it('calls nobody either when it did not hear of it: the ledger refuses the attempt', async () => {
    const run = await ledger.run();
    await cancel(run);
    const bench = createExecution(ledger);
    await bench.execute(run);
    expect(bench).toMatchObject({ ...QUIET, calls: 0 });
  });

  it.each([
    ['and was told', true],
    ['and has not heard of it', false],
  ])('keeps nothing of a picture that came, %s', async (_name, isTold) => {
    const run = await ledger.run();
    const attempts: string[] = [];
    const bench = createExecution(ledger, {
      async call({ attempt }) {
        attempts.push(attempt?.id ?? '');
        return makeDelivered(attempt);
      },
      async putFile() {
        await cancel(run);
        if (isTold) told.abort();
      },
    });
    await bench.execute(run, told.signal);
    const [id = ''] = attempts;
    expect(bench).toMatchObject({ ...QUIET, discarded: [id], deleted: [`${id.slice(-2)}/${id}.png`] });
    expect(await recordOfRun(ledger, run)).toMatchObject(CANCELED);
  });

  it('does not go on to store a picture that the store does not take', async () => {
    const run = await ledger.run();
    let tries = 0;
    const bench = createExecution(ledger, {
      async putFile() {
        tries += 1;
        await cancel(run);
        told.abort();
        throw new StorageError('the disk is full');
      },
    });
    await bench.execute(run, told.signal);
    expect(tries).toBe(1);
    expect(bench).toMatchObject(QUIET);
    expect(bench.discarded).toHaveLength(1);
  });

  it('tells of bytes that could not be removed', async () => {
    const broken = new Error('EPERM');
    const run = await ledger.run();
    const staging = { find: async () => undefined, discard: () => Promise.reject(broken) };
    const bench = createExecution(ledger, { staging, putFile: () => cancel(run) });
    await bench.execute(run, told.signal);
    expect(bench).toMatchObject({ ...QUIET, errors: [broken] });
  });
});

describe('executing a generation that the ledger does not call canceled', () => {
  it('leaves it to the next run, whoever said so', async () => {
    const run = await ledger.run();
    const bench = createExecution(ledger, {
      call(request) {
        setImmediate(() => told.abort());
        return answerNever(request);
      },
    });
    await bench.execute(run, told.signal);
    expect(bench).toMatchObject({ ended: [], handedOver: [run], discarded: [], deleted: [] });
    expect(await recordOfRun(ledger, run)).toMatchObject({
      status: 'RUNNING',
      attempts: [['UNKNOWN', 'ABORTED']],
    });
  });
});

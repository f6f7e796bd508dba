import { afterEach, describe, expect, it } from 'vitest';
import {
  createUpdates,
  MAX_WATCHES_PER_CLIENT,
  type Moment,
  type Updates,
} from '../../src/dispatcher/updates.ts';
import { TooManySubscriptionsError } from '../../src/errors.ts';
import type { Attempt, Generation, GenerationStatus } from '../../src/generation.ts';
import { makeAttempt, makeGeneration } from '../../src/testing/made-up.ts';

/** Longer than any test takes: what comes in time was not the timer's. */
const LONG_MS = 60_000;

let open: Updates[] = [];
afterEach(async () => {
  await Promise.all(open.map((updates) => updates.close()));
  open = [];
});

const momentOf = (
  id: string,
  status: GenerationStatus,
  outcomes: readonly Attempt['outcome'][] = [],
): Moment => ({
  generation: makeGeneration({
    id,
    status,
    finishedAt: status === 'QUEUED' || status === 'RUNNING' ? undefined : new Date(),
  }),
  attempts: outcomes.map((outcome, index) => makeAttempt({ number: index + 1, outcome })),
});

/** Updates over a ledger that the test writes; each look at it is counted. */
function createOver(ledger: Map<string, Moment>, { pollMs = LONG_MS }: { pollMs?: number } = {}) {
  const looks: string[][] = [];
  const errors: unknown[] = [];
  const updates = createUpdates({
    pollMs,
    onError: (error) => void errors.push(error),
    async find(ids) {
      looks.push([...ids]);
      return ids.flatMap((id) => ledger.get(id) ?? []);
    },
  });
  open.push(updates);
  return { updates, looks, errors };
}

/** Who watches, and stays. */
const of = (generationId: string) => ({
  generationId,
  clientId: 'somebody',
  signal: new AbortController().signal,
});

const statusOf = ({ value }: IteratorResult<Generation>): string | undefined => value?.status;

describe('a watcher', () => {
  it('is told how it is now, then every change, and no more after its end', async () => {
    const ledger = new Map([['a', momentOf('a', 'QUEUED')]]);
    const { updates } = createOver(ledger);
    const watched = updates.watch(of('a'));
    expect(statusOf(await watched.next())).toBe('QUEUED');

    ledger.set('a', momentOf('a', 'RUNNING'));
    updates.lookUp(['a']);
    expect(statusOf(await watched.next())).toBe('RUNNING');
    ledger.set('a', momentOf('a', 'RUNNING', ['PENDING']));
    updates.lookUp(['a']);
    expect(statusOf(await watched.next())).toBe('RUNNING');
    ledger.set('a', momentOf('a', 'SUCCEEDED', ['SUCCEEDED']));
    updates.lookUp(['a']);
    expect(statusOf(await watched.next())).toBe('SUCCEEDED');
    expect(await watched.next()).toEqual({ done: true, value: undefined });
    expect(updates.size).toBe(0);
  });

  it('is told nothing where nothing changed', async () => {
    const ledger = new Map([['a', momentOf('a', 'RUNNING', ['PENDING'])]]);
    const { updates, looks } = createOver(ledger);
    const watched = updates.watch(of('a'));
    await watched.next();
    const next = watched.next();
    for (const words of [2, 3]) {
      updates.lookUp(['a']);
      await expect.poll(() => looks.length).toBe(words);
    }
    ledger.set('a', momentOf('a', 'CANCELED', ['UNKNOWN']));
    updates.lookUp(['a']);
    expect(statusOf(await next)).toBe('CANCELED');
  });

  it('is told that it waits for another provider now, though nothing else changed', async () => {
    const at = (provider: string): Moment => {
      const { generation, attempts } = momentOf('a', 'QUEUED');
      return { generation: { ...generation, provider }, attempts };
    };
    const ledger = new Map([['a', at('first')]]);
    const { updates } = createOver(ledger);
    const watched = updates.watch(of('a'));
    await watched.next();
    ledger.set('a', at('second'));
    updates.lookUp(['a']);
    expect((await watched.next()).value).toMatchObject({ status: 'QUEUED', provider: 'second' });
  });

  it('that is slow gets the newest state, not every one between', async () => {
    const ledger = new Map([['a', momentOf('a', 'QUEUED')]]);
    const { updates, looks } = createOver(ledger);
    const watched = updates.watch(of('a'));
    await watched.next();
    for (const [index, moment] of [
      momentOf('a', 'RUNNING', ['PENDING']),
      momentOf('a', 'RUNNING', ['NOT_ACCEPTED']),
      momentOf('a', 'SUCCEEDED', ['NOT_ACCEPTED', 'SUCCEEDED']),
    ].entries()) {
      ledger.set('a', moment);
      updates.lookUp(['a']);
      await expect.poll(() => looks.length).toBe(index + 2);
    }
    expect(statusOf(await watched.next())).toBe('SUCCEEDED');
    expect((await watched.next()).done).toBe(true);
  });

  it('learns of a change whose word was missed', async () => {
    const ledger = new Map([['a', momentOf('a', 'RUNNING')]]);
    const { updates } = createOver(ledger, { pollMs: 20 });
    const watched = updates.watch(of('a'));
    await watched.next();
    ledger.set('a', momentOf('a', 'FAILED'));
    expect(statusOf(await watched.next())).toBe('FAILED');
  });

  it('ends when the generation is gone', async () => {
    const ledger = new Map([['a', momentOf('a', 'RUNNING')]]);
    const { updates } = createOver(ledger);
    const watched = updates.watch(of('a'));
    await watched.next();
    ledger.delete('a');
    updates.lookUpAll();
    expect(await watched.next()).toEqual({ done: true, value: undefined });
  });

  it('leaves at once, also while it waits for a change', async () => {
    const { updates } = createOver(new Map([['a', momentOf('a', 'RUNNING')]]));
    const watched = updates.watch(of('a'));
    await watched.next();
    const waiting = watched.next();
    expect(await watched.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(updates.size).toBe(0);
  });

  it('leaves when its signal says that it is gone', async () => {
    const { updates } = createOver(new Map([['a', momentOf('a', 'RUNNING')]]));
    const gone = new AbortController();
    const watched = updates.watch({ ...of('a'), signal: gone.signal });
    await watched.next();
    const waiting = watched.next();
    gone.abort();
    expect((await waiting).done).toBe(true);
    expect(updates.size).toBe(0);
    expect((await updates.watch({ ...of('a'), signal: gone.signal }).next()).done).toBe(true);
    expect(updates.size).toBe(0);
  });

  it('is refused where its client has as many as it may, until one of them is over', async () => {
    const { updates } = createOver(new Map([['a', momentOf('a', 'RUNNING')]]));
    const first = updates.watch(of('a'));
    for (let count = 1; count < MAX_WATCHES_PER_CLIENT; count++) updates.watch(of('a'));
    expect(() => updates.watch(of('a'))).toThrow(TooManySubscriptionsError);
    expect(statusOf(await updates.watch({ ...of('a'), clientId: 'another' }).next())).toBe('RUNNING');
    await first.return?.();
    await first.return?.();
    updates.watch(of('a'));
    expect(() => updates.watch(of('a'))).toThrow(TooManySubscriptionsError);
  });

  it('does not disturb another one of the same generation by leaving', async () => {
    const ledger = new Map([['a', momentOf('a', 'RUNNING')]]);
    const { updates } = createOver(ledger);
    const [leaves, stays] = [updates.watch(of('a')), updates.watch(of('a'))];
    await Promise.all([leaves.next(), stays.next()]);
    await leaves.return?.();
    ledger.set('a', momentOf('a', 'SUCCEEDED'));
    updates.lookUp(['a']);
    expect(statusOf(await stays.next())).toBe('SUCCEEDED');
  });

  it('is let go when the replica shuts down', async () => {
    const { updates } = createOver(new Map([['a', momentOf('a', 'RUNNING')]]));
    const watched = updates.watch(of('a'));
    await watched.next();
    const waiting = watched.next();
    await updates.close();
    expect((await waiting).done).toBe(true);
  });
});

describe('a look at the ledger', () => {
  it('is shared by all that is asked in one turn, and made for nobody where nobody watches', async () => {
    const ledger = new Map(['a', 'b', 'c'].map((id) => [id, momentOf(id, 'RUNNING')]));
    const { updates, looks } = createOver(ledger);
    updates.lookUp(['a', 'b', 'c']);
    const watched = ['a', 'b'].map((id) => updates.watch(of(id)));
    await Promise.all(watched.map((each) => each.next()));
    expect(looks).toEqual([['a', 'b']]);
  });

  it('that fails is told of, and made again for the next word', async () => {
    let failing = true;
    const errors: unknown[] = [];
    const updates = createUpdates({
      pollMs: LONG_MS,
      onError: (error) => void errors.push(error),
      async find() {
        if (failing) throw new Error('The ledger is away.');
        return [momentOf('a', 'RUNNING')];
      },
    });
    open.push(updates);
    const next = updates.watch(of('a')).next();
    await expect.poll(() => errors).toEqual([new Error('The ledger is away.')]);
    failing = false;
    updates.lookUpAll();
    expect(statusOf(await next)).toBe('RUNNING');
  });
});

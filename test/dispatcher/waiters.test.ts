import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { createWaiters, type Waiters } from '../../src/dispatcher/waiters.ts';
import type { Ended } from '../../src/ledger/runs.ts';
import { makeGeneration, makeImage } from '../../src/testing/made-up.ts';

/** Longer than any test takes: an answer that comes in time was not the timer's. */
const LONG_MS = 60_000;

const endedOf = (id: string): Ended => ({ generation: makeGeneration({ id }), image: makeImage() });

let open: Waiters[] = [];
afterEach(async () => {
  await Promise.all(open.map((waiters) => waiters.close()));
  open = [];
});

/** Waiters over a ledger where these generations have ended; each look at it is counted. */
function createOver(
  ended: Set<string>,
  { pollMs = LONG_MS, onLook }: { pollMs?: number; onLook?: (waiters: Waiters) => void } = {},
) {
  const looks: string[][] = [];
  const errors: unknown[] = [];
  let failing: unknown;
  const waiters = createWaiters({
    pollMs,
    onError: (error) => void errors.push(error),
    async findEnded(ids) {
      looks.push([...ids]);
      const found = ids.filter((id) => ended.has(id)).map(endedOf);
      // The answer is of the moment it was asked for: what ends now is not in it.
      onLook?.(waiters);
      await new Promise((resolve) => setImmediate(resolve));
      if (failing !== undefined) throw failing;
      return found;
    },
  });
  open.push(waiters);
  const failWith = (error: unknown): void => {
    failing = error;
  };
  return { waiters, looks, errors, failWith };
}

describe('waiters: nobody waits for what has ended', () => {
  it('that ended here, while they wait: all are answered', async () => {
    const { waiters, looks } = createOver(new Set());
    const waiting = ['a', 'a', 'b'].map((id) => waiters.wait(id, LONG_MS, undefined));
    waiters.settle(endedOf('a'));
    waiters.settle(endedOf('b'));
    const answers = await Promise.all(waiting);
    expect(answers.map((ended) => ended?.generation.id)).toEqual(['a', 'a', 'b']);
    expect(looks).toEqual([]);
  });

  it('that ended elsewhere before they came: a look at the ledger finds it', async () => {
    const { waiters } = createOver(new Set(['a']));
    const waiting = waiters.wait('a', LONG_MS, undefined);
    waiters.lookUp(['a']);
    expect((await waiting)?.generation.id).toBe('a');
  });

  it('that ends elsewhere during a look that does not see it yet: it is looked at again', async () => {
    const ended = new Set<string>();
    const { waiters, looks } = createOver(ended, {
      onLook(waiters) {
        // The word comes while the first look is under way.
        if (ended.has('a')) return;
        ended.add('a');
        waiters.lookUp(['a']);
      },
    });
    const waiting = waiters.wait('a', LONG_MS, undefined);
    waiters.lookUp(['a']);
    expect((await waiting)?.generation.id).toBe('a');
    expect(looks).toEqual([['a'], ['a']]);
  });

  it('whose word was missed: polling finds it', async () => {
    const { waiters } = createOver(new Set(['a']), { pollMs: 5 });
    expect((await waiters.wait('a', LONG_MS, undefined))?.generation.id).toBe('a');
  });

  it('whose words were missed during an outage: everyone is looked up', async () => {
    const { waiters } = createOver(new Set(['a', 'b']));
    const waiting = ['a', 'b'].map((id) => waiters.wait(id, LONG_MS, undefined));
    waiters.lookUpAll();
    expect((await Promise.all(waiting)).map((ended) => ended?.generation.id)).toEqual(['a', 'b']);
  });

  it('and a look that failed is told of, and made again', async () => {
    const { waiters, errors, failWith } = createOver(new Set(['a']), { pollMs: 5 });
    const away = new Error('the database is away');
    failWith(away);
    const waiting = waiters.wait('a', LONG_MS, undefined);
    await expect.poll(() => errors.length).toBeGreaterThan(1);
    expect(errors[0]).toBe(away);
    failWith(undefined);
    expect((await waiting)?.generation.id).toBe('a');
  });
});

describe('waiters: looks', () => {
  it('that are asked for together share a query', async () => {
    const { waiters, looks } = createOver(new Set(['a', 'b', 'c']));
    const waiting = ['a', 'b', 'c'].map((id) => waiters.wait(id, LONG_MS, undefined));
    for (const id of ['a', 'b', 'c', 'a']) waiters.lookUp([id]);
    await Promise.all(waiting);
    expect(looks).toEqual([['a', 'b', 'c']]);
  });

  it('are not made for what nobody waits for here', async () => {
    const { waiters, looks } = createOver(new Set(['a']));
    const waiting = waiters.wait('b', LONG_MS, undefined);
    waiters.lookUp(['a']);
    waiters.settle(endedOf('b'));
    await waiting;
    waiters.lookUpAll();
    await waiters.close();
    expect(looks).toEqual([]);
  });
});

describe('waiters: leaving', () => {
  it('after the time given, with nothing', async () => {
    const { waiters } = createOver(new Set());
    expect(await waiters.wait('a', 5, undefined)).toBeUndefined();
  });

  it('at once where there is no time, or the caller has left already', async () => {
    const { waiters } = createOver(new Set());
    expect(await waiters.wait('a', 0, undefined)).toBeUndefined();
    expect(await waiters.wait('a', LONG_MS, AbortSignal.abort())).toBeUndefined();
  });

  it('when the caller leaves; the others wait on', async () => {
    const { waiters } = createOver(new Set());
    const caller = new AbortController();
    const leaving = waiters.wait('a', LONG_MS, caller.signal);
    const staying = waiters.wait('a', LONG_MS, undefined);
    caller.abort();
    expect(await leaving).toBeUndefined();
    waiters.settle(endedOf('a'));
    expect((await staying)?.generation.id).toBe('a');
  });

  it('when the generation goes on elsewhere, or the replica lets all go', async () => {
    const { waiters } = createOver(new Set());
    const [a, b, c] = ['a', 'b', 'c'].map((id) => waiters.wait(id, LONG_MS, undefined));
    waiters.release('a');
    expect(await a).toBeUndefined();
    waiters.releaseAll();
    expect(await Promise.all([b, c])).toEqual([undefined, undefined]);
    // Whoever comes later would wait for nobody.
    expect(await waiters.wait('d', LONG_MS, undefined)).toBeUndefined();
  });

  it('leaves nothing behind on a signal that outlives the wait', async () => {
    const { waiters } = createOver(new Set());
    const { signal } = new AbortController();
    const waiting = waiters.wait('a', LONG_MS, signal);
    waiters.settle(endedOf('a'));
    await waiting;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { persist } from '../../src/ledger/persist.ts';
import { createManualClock } from '../support/manual-clock.ts';

const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

function createBench(
  failures: readonly unknown[],
  { signal = new AbortController().signal, maxRefusals = 0 } = {},
) {
  const clock = createManualClock({ hurried: true });
  const left = [...failures];
  const told: unknown[] = [];
  let writes = 0;
  const written = persist(
    async () => {
      writes += 1;
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      return 'written';
    },
    { maxRefusals, signal, sleep: clock.sleep, onRetry: (error) => void told.push(error) },
  );
  return { written, clock, told, writes: () => writes };
}

describe('persist', () => {
  it('writes once where the database answers', async () => {
    const { written, writes, clock } = createBench([]);
    expect(await written).toBe('written');
    expect(writes()).toBe(1);
    expect(clock.waitsMs).toEqual([]);
  });

  it('writes until the database answers, ever more slowly, up to two seconds', async () => {
    const { written, clock, told } = createBench(Array.from({ length: 7 }, () => away));
    expect(await written).toBe('written');
    expect(clock.waitsMs).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
    expect(told).toHaveLength(7);
  });

  it('does not try again what the database refused', async () => {
    const refused = Object.assign(new Error('null value'), { code: '23502' });
    const { written, writes } = createBench([refused]);
    await expect(written).rejects.toBe(refused);
    expect(writes()).toBe(1);
  });

  it('tries again a few times what the database refused, where it is asked to', async () => {
    const refused = Object.assign(new Error('deadlock detected'), { code: '40P01' });
    expect(await createBench([refused, away, refused], { maxRefusals: 2 }).written).toBe('written');
    const given = createBench([refused, refused, refused], { maxRefusals: 2 });
    await expect(given.written).rejects.toBe(refused);
    expect(given.writes()).toBe(3);
  });

  it('does not try again what was thrown on purpose', async () => {
    const fenced = new FencedError('another run owns it');
    const { written, writes } = createBench([fenced], { maxRefusals: 5 });
    await expect(written).rejects.toBe(fenced);
    expect(writes()).toBe(1);
  });

  it('tries once even where it is too late, and then gives up with what the database said', async () => {
    expect(await createBench([], { signal: AbortSignal.abort() }).written).toBe('written');
    await expect(createBench([away], { signal: AbortSignal.abort() }).written).rejects.toBe(away);
  });
});

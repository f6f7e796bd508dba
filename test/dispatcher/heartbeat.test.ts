import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startHeartbeat } from '../../src/dispatcher/heartbeat.ts';
import type { Job } from '../../src/ledger/run.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';

const HEARTBEAT_SECONDS = 10;
const JOBS: readonly Job[] = [
  { id: 'a', retryCount: 0, provider: 'made-up', clientId: 'c' },
  { id: 'b', retryCount: 2, provider: 'other', clientId: 'c' },
];

describe('heartbeat', () => {
  let clock: ManualClock;
  let heartbeat: ReturnType<typeof startHeartbeat>;
  /** What the queue was asked for, with the time in milliseconds. */
  let touches: [atMs: number, jobs: readonly Job[]][];
  let sweeps: number[];
  let errors: unknown[];
  let away: Error | undefined;
  let hanging: Promise<void> | undefined;

  beforeEach(() => {
    clock = createManualClock();
    // The heartbeat asks a clock that never jumps; here, it goes with the test's.
    vi.spyOn(performance, 'now').mockImplementation(() => clock.elapsedMs);
    [touches, sweeps, errors, away, hanging] = [[], [], [], undefined, undefined];
    heartbeat = startHeartbeat({
      queue: {
        async touch(jobs: readonly Job[]) {
          if (away !== undefined) throw away;
          await hanging;
          touches.push([clock.elapsedMs, jobs]);
        },
        async supervise() {
          if (away !== undefined) throw away;
          sweeps.push(clock.elapsedMs);
        },
      } as never,
      jobs: () => JOBS,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      clock,
      onError: (error) => void errors.push(error),
    });
  });
  afterEach(async () => {
    await heartbeat.stop();
    vi.restoreAllMocks();
  });

  it('touches the jobs of this replica, each as it was fetched, every two seconds', async () => {
    await clock.advance(10_000);
    expect(touches.map(([atMs]) => atMs)).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    expect(touches.every(([, jobs]) => jobs === JOBS)).toBe(true);
  });

  it('looks for lost jobs every 2 s, but not before the database has answered for a whole heartbeat', async () => {
    await clock.advance(9_999);
    expect(sweeps).toEqual([]);
    await clock.advance(6_001);
    expect(sweeps).toEqual([10_000, 12_000, 14_000, 16_000]);
  });

  it('waits for another whole heartbeat after the connection was lost', async () => {
    await clock.advance(20_000);
    heartbeat.pause();
    const before = sweeps.length;
    // The first touch after the loss, at 22 s, is when the database is known to answer again.
    await clock.advance(11_999);
    expect(sweeps.length).toBe(before);
    await clock.advance(4_001);
    expect(sweeps.slice(before)).toEqual([32_000, 34_000, 36_000]);
  });

  it('does so too after this process stood still: the heartbeats of others may be as stale as its own', async () => {
    await clock.advance(20_000);
    const before = sweeps.length;
    const stoodStillMs = 30_000;
    vi.spyOn(performance, 'now').mockImplementation(() => clock.elapsedMs + stoodStillMs);
    await clock.advance(11_999);
    expect(sweeps.length).toBe(before);
    await clock.advance(2_001);
    expect(sweeps.length).toBeGreaterThan(before);
  });

  it('never sweeps before its own jobs are touched, however long that takes', async () => {
    await clock.advance(20_000);
    const before = sweeps.length;
    let answer = (): void => undefined;
    hanging = new Promise((resolve) => {
      answer = resolve;
    });
    await clock.advance(30_000);
    expect(sweeps.length).toBe(before);
    hanging = undefined;
    answer();
    await clock.advance(2_000);
    expect(touches.at(-1)?.[0]).toBeGreaterThan(50_000);
  });

  it('does so too after the database did not answer, however long, and tells of it', async () => {
    await clock.advance(20_000);
    const before = sweeps.length;
    away = new Error('the database is away');
    await clock.advance(30_000);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every((error) => error === away)).toBe(true);
    away = undefined;
    const backAtMs = clock.elapsedMs;
    await clock.advance(60_000);
    const [first] = sweeps.slice(before);
    expect(first).toBeGreaterThanOrEqual(backAtMs + HEARTBEAT_SECONDS * 1_000);
    expect(first).toBeLessThanOrEqual(backAtMs + HEARTBEAT_SECONDS * 1_000 + 2_500 + 2_000);
  });

  it('stops at once, in the middle of a pause', async () => {
    await clock.advance(1_000);
    await heartbeat.stop();
    await clock.advance(60_000);
    expect(touches.map(([atMs]) => atMs)).toEqual([0]);
  });
});

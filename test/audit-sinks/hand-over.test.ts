import { describe, expect, it } from 'vitest';
import type { AuditSink } from '../../src/audit-sinks/audit-sink.ts';
import { handOver, MAX_LINES } from '../../src/audit-sinks/hand-over.ts';
import type { AuditEvent } from '../../src/ledger/audit.ts';
import { NOON } from '../../src/testing/made-up.ts';
import { createManualClock } from '../support/manual-clock.ts';

const line = (number: number): AuditEvent => ({
  id: `line-${number}`,
  occurredAt: NOON,
  action: 'ATTEMPT_STARTED',
  clientId: undefined,
  requestId: 'request-1',
  generationId: undefined,
  attemptId: undefined,
  message: undefined,
});
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => line(from + index));

/** A sink that is handed a trail in memory, in time that passes when the test says so. */
function start(write: AuditSink['write'], { hurried = false } = {}) {
  const clock = createManualClock({ hurried });
  const trail: AuditEvent[] = [];
  const stopping = new AbortController();
  const cutting = new AbortController();
  const log: { fields: object; message: string }[] = [];
  const note = (fields: object, message: string) => void log.push({ fields, message });
  let confirmed = 0;
  let read = 0;
  let broken = false;
  const running = handOver({
    sink: { name: 'made-up', write },
    tail: {
      async read() {
        if (broken) throw new Error('The database is away.');
        const events = trail.slice(confirmed, confirmed + MAX_LINES);
        read = confirmed + events.length;
        return events;
      },
      async confirm() {
        confirmed = read;
      },
    },
    clock,
    log: { info: note, warn: note },
    stopping: stopping.signal,
    cut: cutting.signal,
  });
  return {
    clock,
    trail,
    log,
    running,
    stop: () => stopping.abort(),
    cut: () => cutting.abort(new Error('The gateway stops.')),
    breakTail() {
      broken = true;
    },
    get confirmed() {
      return confirmed;
    },
  };
}

/** A sink that remembers the batches it got. */
function remember() {
  const batches: string[][] = [];
  const write: AuditSink['write'] = async (events) => void batches.push(events.map(({ id }) => id));
  return { batches, write };
}

describe('handOver', () => {
  it('hands over what is there, and what comes, within a second though nobody says so', async () => {
    const { batches, write } = remember();
    const { clock, trail } = start(write);
    trail.push(...lines(1, 2));
    await clock.advance(1_000);
    expect(batches).toEqual([['line-1', 'line-2']]);
    trail.push(line(3));
    await clock.advance(1_000);
    expect(batches).toEqual([['line-1', 'line-2'], ['line-3']]);
  });

  it('hands over at a word, with what gathers in a tenth of a second', async () => {
    const { batches, write } = remember();
    const { clock, trail, running } = start(write);
    await clock.advance(0);
    trail.push(line(1));
    running.wake();
    await clock.advance(50);
    trail.push(line(2));
    await clock.advance(50);
    expect(batches).toEqual([['line-1', 'line-2']]);
  });

  it('hears of a word that comes while it writes', async () => {
    const written = Promise.withResolvers<void>();
    const seen: string[] = [];
    const { clock, trail, running } = start(async (events) => {
      seen.push(...events.map(({ id }) => id));
      await written.promise;
    });
    trail.push(line(1));
    await clock.advance(1_000);
    trail.push(line(2));
    running.wake();
    written.resolve();
    await clock.advance(100);
    expect(seen).toEqual(['line-1', 'line-2']);
  });

  it('takes 500 lines at a time, without a pause in between', async () => {
    const { batches, write } = remember();
    const { clock, trail } = start(write);
    trail.push(...lines(1, 1_200));
    await clock.advance(1_000);
    expect(batches.map(({ length }) => length)).toEqual([500, 500, 200]);
    expect(batches.flat()).toEqual(lines(1, 1_200).map(({ id }) => id));
  });

  it('writes one batch at a time, in order', async () => {
    let atOnce = 0;
    let most = 0;
    const { clock, trail, running } = start(async () => {
      most = Math.max(most, ++atOnce);
      await new Promise(setImmediate);
      atOnce -= 1;
    });
    for (let round = 0; round < 5; round += 1) {
      trail.push(line(round));
      running.wake();
      await clock.advance(200);
    }
    expect(most).toBe(1);
  });

  it('tries the same lines again after a failure, at ever longer intervals up to a minute', async () => {
    const seen: string[][] = [];
    const { clock, trail, log } = start(
      async (events) => {
        seen.push(events.map(({ id }) => id));
        if (seen.length <= 9) throw new Error('status 503');
      },
      { hurried: false },
    );
    trail.push(line(1));
    await clock.advance(400_000);
    expect(seen).toEqual(Array.from({ length: 10 }, () => ['line-1']));
    const waits = log.flatMap(({ fields }) => ('retryInMs' in fields ? [fields.retryInMs] : []));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(log.at(-1)).toEqual({
      fields: { sink: 'made-up', failures: 9 },
      message: 'an audit sink works again',
    });
  });

  it('logs a failure without the secrets of the sink', async () => {
    const { clock, trail, log } = start(async () => {
      throw Object.assign(new Error('POST https://u:s3cr3t@siem.example/in failed'), { token: 's3cr3t' });
    });
    trail.push(line(1));
    await clock.advance(1_000);
    expect(log[0]).toEqual({
      fields: {
        sink: 'made-up',
        failure: { name: 'Error', code: undefined, message: 'POST https://siem.example/… failed' },
        failures: 1,
        retryInMs: 1_000,
      },
      message: 'an audit sink failed',
    });
    expect(JSON.stringify(log)).not.toContain('s3cr3t');
  });

  it('takes a throw for a failure too, before there is a promise', async () => {
    let calls = 0;
    const { clock, trail } = start(() => {
      calls += 1;
      if (calls === 1) throw new Error('at once');
      return Promise.resolve();
    });
    trail.push(line(1));
    await clock.advance(2_000);
    expect(calls).toBe(2);
  });

  it('gives up on a write after 30 s, also where the sink does not heed its signal', async () => {
    const signals: AbortSignal[] = [];
    const { clock, trail, log } = start((_events, { signal }) => {
      signals.push(signal);
      return signals.length === 1 ? new Promise(() => {}) : Promise.resolve();
    });
    trail.push(line(1));
    await clock.advance(1_000);
    await clock.advance(29_999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await clock.advance(1);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await clock.advance(1_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(log[0]?.fields).toMatchObject({ failure: { message: 'It took longer than 30 s.' } });
  });

  it('hands over all that is there when it is told to stop, and ends', async () => {
    const { batches, write } = remember();
    const { clock, trail, running, stop } = start(write);
    await clock.advance(10);
    trail.push(...lines(1, 700));
    stop();
    await running.done;
    expect(batches.map(({ length }) => length)).toEqual([500, 200]);
  });

  it('ends when it is told to stop though the sink fails: the lines wait for the next start', async () => {
    const { clock, trail, running, stop, ...state } = start(async () => {
      throw new Error('status 503');
    });
    trail.push(line(1));
    await clock.advance(1_000);
    stop();
    await running.done;
    expect(state.confirmed).toBe(0);
  });

  it('ends at once when it is cut, in the middle of a write that hears of it', async () => {
    const reasons: unknown[] = [];
    const { clock, trail, running, cut, log } = start(
      (_events, { signal }) =>
        new Promise(() => signal.addEventListener('abort', () => reasons.push(signal.reason))),
    );
    trail.push(line(1));
    await clock.advance(1_000);
    cut();
    await running.done;
    expect(reasons).toEqual([new Error('The gateway stops.')]);
    expect(log).toEqual([]);
  });

  it('rejects when the trail can’t be read', async () => {
    const { clock, running, breakTail } = start(async () => undefined);
    const rejected = expect(running.done).rejects.toThrow('The database is away.');
    await clock.advance(10);
    breakTail();
    await clock.advance(1_000);
    await rejected;
  });
});

import { describe, expect, it, vi } from 'vitest';
import type { ServerProcess } from '../../../src/ledger/embedded/server-process.ts';
import { superviseServer } from '../../../src/ledger/embedded/supervise.ts';

/** A server that ends when it is told to, by whomever. */
function fakeServer(pid: number): ServerProcess & { end(): void; stopped: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = {
    pid,
    endpoint: { host: '/data', port: 5432 },
    exited: promise,
    end: resolve,
    stopped: false,
    async stop() {
      server.stopped = true;
      resolve();
    },
  };
  return server;
}

/** Collects how long it meant to wait before each start. */
function recordingLog() {
  const waits: number[] = [];
  const note = (fields: object) => {
    if ('waitMs' in fields && typeof fields.waitMs === 'number') waits.push(fields.waitMs);
  };
  return { waits, log: { info: () => {}, warn: note } };
}

describe('superviseServer', () => {
  it('waits twice as long after each start that failed, up to the longest wait', async () => {
    const { waits, log } = recordingLog();
    const first = fakeServer(1);
    const second = fakeServer(2);
    let failures = 0;
    const restart = vi.fn(async () => {
      if (failures++ < 4) throw new Error('no');
      return second;
    });
    const supervision = superviseServer({
      server: first,
      restart,
      log,
      shortestWaitMs: 1,
      longestWaitMs: 6,
    });
    first.end();
    await vi.waitFor(() => expect(restart).toHaveBeenCalledTimes(5));
    expect(waits).toEqual([1, 2, 4, 6, 6]);
    await supervision.stop();
    expect(second.stopped).toBe(true);
  });

  it('begins with the shortest wait again after a server that lasted', async () => {
    const { waits, log } = recordingLog();
    let clockMs = 0;
    const servers = [1, 2, 3, 4].map(fakeServer);
    const [first, second, third, fourth] = servers;
    let next = 1;
    const supervision = superviseServer({
      server: first ?? fakeServer(0),
      restart: async () => servers[next++] ?? fakeServer(0),
      log,
      shortestWaitMs: 1,
      lastingMs: 60_000,
      now: () => clockMs,
    });
    first?.end();
    await vi.waitFor(() => expect(next).toBe(2));
    second?.end();
    await vi.waitFor(() => expect(next).toBe(3));
    clockMs = 60_000;
    third?.end();
    await vi.waitFor(() => expect(next).toBe(4));
    await supervision.stop();
    expect(waits).toEqual([1, 2, 1]);
    expect(fourth?.stopped).toBe(true);
  });

  it('stops what a start under way still brings', async () => {
    const first = fakeServer(1);
    const late = fakeServer(2);
    const start = Promise.withResolvers<ServerProcess>();
    const restart = vi.fn(() => start.promise);
    const supervision = superviseServer({
      server: first,
      restart,
      log: recordingLog().log,
      shortestWaitMs: 1,
    });
    first.end();
    await vi.waitFor(() => expect(restart).toHaveBeenCalled());
    const stopping = supervision.stop();
    start.resolve(late);
    await stopping;
    expect(late.stopped).toBe(true);
  });

  it('does not sit out a wait when it is stopped', async () => {
    const first = fakeServer(1);
    const { waits, log } = recordingLog();
    const supervision = superviseServer({
      server: first,
      restart: () => Promise.reject(new Error('not to be called')),
      log,
      shortestWaitMs: 3_600_000,
    });
    first.end();
    await vi.waitFor(() => expect(waits).toHaveLength(1));
    await supervision.stop();
    expect(waits).toEqual([3_600_000]);
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collectEvidence, untilAllEnded } from '../support/collect-evidence.ts';
import type { Intent } from '../support/evidence.ts';
import { judge } from '../support/judge.ts';
import { createLoad, type Load } from '../support/load.ts';
import { FRONT, type Replicas, startReplicas, TAKEN_OVER_WITHIN_MS } from '../support/replicas.ts';
import { troubledUpstream } from '../support/troubles.ts';

/** Longer than a heartbeat and a sweep: every heartbeat is stale when it comes back, those of the healthy too. */
const AWAY_MS = 30_000;
const OPEN_CALLS = 50;
/** So many of them are answered only some seconds after it is back. */
const LONG_CALLS = 10;
const LONG_MS = AWAY_MS + 6_000;

let replicas: Replicas;
const loads: Load[] = [];
beforeAll(async () => {
  replicas = await startReplicas();
});
afterAll(() => replicas?.close());

async function loadAbout(about: string): Promise<Load> {
  const clients = [await replicas.addClient(`${about} amber`), await replicas.addClient(`${about} birch`)];
  const load = createLoad({ url: replicas.url, clients, about, seed: about });
  loads.push(load);
  return load;
}

const untilReady = () =>
  vi.waitFor(
    async () => {
      for (const { url } of replicas.members) expect((await fetch(`${url}/readyz`)).status).toBe(200);
    },
    { timeout: 20_000 },
  );

const cutOff = () => replicas.postgres.sql("select * from attempts where error_code = 'CUT_OFF'");

describe(`a PostgreSQL under three replicas under load, ${FRONT}`, () => {
  let load: Load;
  beforeAll(async () => {
    load = await loadAbout('restarts');
    replicas.sandbox.behaveAlways(troubledUpstream({ seed: 'restarts', latencyMs: [200, 1_500] }));
    load.start({ everyMs: 40, openAtMost: 60 });
  });

  it.each([
    { how: 'crashes, and recovers from its log', restart: () => replicas.postgres.crash() },
    {
      how: 'is restarted',
      async restart() {
        await replicas.postgres.stop();
        await replicas.postgres.start();
      },
    },
  ])(
    '$how, and all go on',
    async ({ restart }) => {
      await vi.waitFor(() => expect(replicas.sandbox.journal.open).toBeGreaterThan(20), { timeout: 20_000 });
      await restart();
      const before = load.told.length;
      await vi.waitFor(() => expect(load.told.length).toBeGreaterThan(before + 20), { timeout: 20_000 });
      await untilReady();
    },
    60_000,
  );

  it('loses nothing, and has nothing bought again that was not unknown', async () => {
    await load.settle(30_000);
    await untilAllEnded(replicas, TAKEN_OVER_WITHIN_MS);
    expect(await cutOff()).toEqual([]);
    expect(judge(await collectEvidence(replicas, loads))).toEqual([]);
    expect(load.refusals).toEqual([]);
  }, 90_000);
});

describe(`a PostgreSQL that is away for ${AWAY_MS / 1000} s with ${OPEN_CALLS} calls open, ${FRONT}`, () => {
  const intents = Array.from(
    { length: OPEN_CALLS },
    (_, index): Intent => {
      const name = index < LONG_CALLS ? `paid for long ${index}` : `paid for ${index}`;
      const delivery = index % 2 === 0 ? 'AT_MOST_ONCE' : 'AT_LEAST_ONCE';
      return { client: index % 3 === 0 ? 'away amber' : 'away birch', key: name, prompt: name, delivery };
    },
    90_000,
  );
  const isPaidFor = ({ prompt }: { prompt: string | undefined }) => prompt?.startsWith('paid for') === true;
  let load: Load;

  beforeAll(async () => {
    load = await loadAbout('away');
    replicas.sandbox.behaveAlways(({ prompt }) =>
      prompt.includes('long') ? { kind: 'normal', delayMs: LONG_MS } : undefined,
    );
    replicas.pictures.hold('paid for');
    for (const intent of intents) void load.want(intent, 0);
    await replicas.sandbox.journal.waitFor(OPEN_CALLS, { where: isPaidFor, timeoutMs: 20_000 });
    load.start({ everyMs: 200, openAtMost: 70 });
    await vi.waitFor(() => expect(load.told.length).toBeGreaterThan(3), { timeout: 10_000 });
    await replicas.postgres.stop();
  }, 60_000);

  it('has nobody told a lie meanwhile: each request is unanswered, and nothing is sent upstream', async () => {
    const startedAt = performance.now();
    const told = load.told.length;
    replicas.pictures.release();
    await vi.waitFor(() => expect(replicas.sandbox.journal.open).toBe(LONG_CALLS), { timeout: 10_000 });
    const calls = replicas.sandbox.journal.calls().length;
    await delay(AWAY_MS - (performance.now() - startedAt));
    expect(replicas.sandbox.journal.calls().length).toBe(calls);
    expect(load.told.length).toBe(told);
    expect(load.troubles.get('HTTP 503')).toBeGreaterThan(0);
    await replicas.postgres.start();
  }, 60_000);

  it('finds every picture that was paid for when it is back, and none is bought again', async () => {
    await untilReady();
    await load.settle(40_000);
    await untilAllEnded(replicas, TAKEN_OVER_WITHIN_MS);
    // Though every heartbeat was stale, nobody took over what another one was at.
    expect(await cutOff()).toEqual([]);
    expect(replicas.sandbox.journal.calls(isPaidFor)).toHaveLength(OPEN_CALLS);
    const answers = new Map(load.told.map((answer) => [answer.intent, answer.typename]));
    expect(intents.map((intent) => answers.get(intent))).toEqual(intents.map(() => 'GenerateImageSuccess'));
  }, 90_000);

  it('is found right by the judge', async () => {
    expect(judge(await collectEvidence(replicas, loads))).toEqual([]);
    expect(load.refusals).toEqual([]);
  }, 90_000);
});

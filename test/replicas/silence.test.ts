import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collectEvidence, untilAllEnded } from '../support/collect-evidence.ts';
import type { Intent } from '../support/evidence.ts';
import { judge } from '../support/judge.ts';
import { createLoad, type Load } from '../support/load.ts';
import {
  FRONT,
  type Replica,
  type Replicas,
  startReplicas,
  TAKEN_OVER_WITHIN_MS,
} from '../support/replicas.ts';

/** Generations at once on each of the three, so that each has its share of those that are held back. */
const CONCURRENCY = 10;
const intents = Array.from({ length: 3 * CONCURRENCY }, (_, index): Intent => {
  const name = `held back ${String(index).padStart(2, '0')}`;
  const delivery = index % 2 === 0 ? 'AT_MOST_ONCE' : 'AT_LEAST_ONCE';
  return { client: 'amber', key: name, prompt: name, delivery };
});

/**
 * One of three is frozen in the middle of calls (SIGSTOP), one is cut off from the database without a word, and the
 * third goes on under load. All calls are answered meanwhile; then the two come back with their answers.
 */
describe(`a replica that is frozen, and one that hears nothing of the database, ${FRONT}`, () => {
  let replicas: Replicas;
  let load: Load;
  /** What was held back in each of them when they fell silent. */
  let heldBy: { frozen: HeldGeneration[]; cutOff: HeldGeneration[]; healthy: HeldGeneration[] };

  beforeAll(async () => {
    replicas = await startReplicas({ environment: { GESSO_CONCURRENCY: String(CONCURRENCY) } });
    const [frozen, cutOff, healthy] = replicas.members as [Replica, Replica, Replica];
    const clients = [await replicas.addClient('amber'), await replicas.addClient('birch')];
    load = createLoad({
      ...{ url: replicas.url, clients, about: 'meanwhile', seed: 'silence' },
      // Every third request meets the frozen one, and another third the one that is cut off.
      ...{ waitsSeconds: [0, 1], patienceMs: 2_000 },
    });
    replicas.pictures.hold('held back');
    for (const intent of intents) void load.want(intent);
    await replicas.sandbox.journal.waitFor(intents.length, { timeoutMs: 20_000 });
    heldBy = { frozen: await runBy(frozen), cutOff: await runBy(cutOff), healthy: await runBy(healthy) };
    load.start({ everyMs: 100, openAtMost: 60 });

    process.kill(frozen.pid, 'SIGSTOP');
    cutOff.link.silence();
    // Their calls are answered, but they can't write it down; what the heir sends again is answered at once.
    replicas.pictures.release();
    await vi.waitFor(async () => expect(await statusesOf(intents)).not.toContain('RUNNING'), {
      timeout: TAKEN_OVER_WITHIN_MS,
    });
  }, 90_000);
  afterAll(() => replicas?.close());

  it('each had calls of both guarantees open', () => {
    for (const generations of Object.values(heldBy)) {
      expect(generations).toHaveLength(CONCURRENCY);
      expect(new Set(generations.map(({ delivery }) => delivery)).size).toBe(2);
    }
  });

  it('lose them to the third one, which goes by their guarantees', async () => {
    const [lost, kept] = [[...heldBy.frozen, ...heldBy.cutOff], heldBy.healthy];
    const [once, atLeastOnce] = [
      lost.filter(({ delivery }) => delivery === 'AT_MOST_ONCE'),
      lost.filter(({ delivery }) => delivery === 'AT_LEAST_ONCE'),
    ];
    expect(await statusesOf(once)).toEqual(once.map(() => 'UNKNOWN'));
    expect(await statusesOf([...atLeastOnce, ...kept])).toEqual(
      [...atLeastOnce, ...kept].map(() => 'SUCCEEDED'),
    );
    for (const { prompt } of [...once, ...kept]) expect(callsFor(prompt)).toHaveLength(1);
    for (const { prompt } of atLeastOnce) expect(callsFor(prompt)).toHaveLength(2);
  });

  it('can change nothing when they come back with their answers', async () => {
    const [frozen, cutOff] = replicas.members as [Replica, Replica];
    const before = await everythingAbout(intents);
    process.kill(frozen.pid, 'SIGCONT');
    cutOff.link.restore();
    const fenced = ({ output }: Replica) =>
      output.split('\n').filter((line) => line.includes('"type":"FencedError"'));
    await vi.waitFor(
      () => {
        for (const { id } of heldBy.frozen)
          expect(fenced(frozen).some((line) => line.includes(id))).toBe(true);
        for (const { id } of heldBy.cutOff)
          expect(fenced(cutOff).some((line) => line.includes(id))).toBe(true);
      },
      { timeout: 15_000 },
    );
    expect(await everythingAbout(intents)).toEqual(before);
  });

  it('take part again, and the judge finds nothing', async () => {
    await load.settle(TAKEN_OVER_WITHIN_MS);
    await untilAllEnded(replicas, TAKEN_OVER_WITHIN_MS);
    for (const member of replicas.members) expect((await fetch(`${member.url}/readyz`)).status).toBe(200);
    expect(judge(await collectEvidence(replicas, [load]))).toEqual([]);
    expect(load.refusals).toEqual([]);
  }, 60_000);

  interface HeldGeneration {
    readonly id: string;
    readonly prompt: string;
    readonly delivery: string;
  }

  const callsFor = (prompt: string) => replicas.sandbox.journal.calls((call) => call.prompt === prompt);

  const statusesOf = async (of: readonly { readonly prompt: string }[]) => {
    const rows = await replicas.postgres.sql<{ status: string }>(
      'select status from generations where prompt = any($1)',
      [of.map(({ prompt }) => prompt)],
    );
    return rows.map(({ status }) => status);
  };

  /** The name of a run has its process in it. */
  const runBy = ({ pid }: Replica) =>
    replicas.postgres.sql<HeldGeneration>(
      `select id, prompt, delivery from generations where status = 'RUNNING' and runner like '%:' || $1 || ':%'`,
      [pid],
    );

  /** All that is on record, but for the lines of replays. */
  async function everythingAbout(of: readonly Intent[]): Promise<unknown> {
    const ids = 'select id from generations where prompt = any($1)';
    const wheres = {
      generations: `id in (${ids})`,
      attempts: `generation_id in (${ids})`,
      images: `generation_id in (${ids})`,
      audit_events: `generation_id in (${ids}) and action <> 'GENERATION_REPLAYED'`,
    };
    const dumps = Object.entries(wheres).map(([table, where]) =>
      replicas.postgres.sql(`select * from ${table} where ${where} order by id`, [
        of.map(({ prompt }) => prompt),
      ]),
    );
    return Promise.all(dumps);
  }
});

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

const DEADLINE_MS = 8_000;
/** Generations at once on each of the three. */
const CONCURRENCY = 6;

let replicas: Replicas;
let load: Load;
beforeAll(async () => {
  replicas = await startReplicas({
    environment: { GESSO_DEADLINE_MS: String(DEADLINE_MS), GESSO_CONCURRENCY: String(CONCURRENCY) },
  });
  const clients = [await replicas.addClient('amber'), await replicas.addClient('birch')];
  load = createLoad({ url: replicas.url, clients, about: '', seed: 'store' });
});
afterAll(() => replicas?.close());

/** Both guarantees, both clients. */
const several = (about: string, count: number): Intent[] =>
  Array.from({ length: count }, (_, index) => {
    const name = `${about} ${index}`;
    const delivery = index % 2 === 0 ? 'AT_MOST_ONCE' : 'AT_LEAST_ONCE';
    return { client: index % 3 === 0 ? 'amber' : 'birch', key: name, prompt: name, delivery };
  });
const wantAll = (intents: readonly Intent[]) => Promise.all(intents.map((intent) => load.want(intent, 30)));
const callsFor = (intents: readonly Intent[]) =>
  replicas.sandbox.journal.calls(({ prompt }) => intents.some((intent) => intent.prompt === prompt));
const stored = () => [...replicas.store.objects.keys()].filter((key) => key.endsWith('.png'));

describe(`an object store that answers 503 for a while, with three replicas ${FRONT}`, () => {
  it('makes every image late, has none lost and none bought again', async () => {
    const intents = several('while the store is busy', 12);
    replicas.store.failWith(503);
    const asking = wantAll(intents);
    await replicas.sandbox.journal.waitFor(intents.length, { timeoutMs: 10_000 });
    const refused = replicas.store.requests.length;
    await vi.waitFor(
      () => expect(replicas.store.requests.length).toBeGreaterThan(refused + 2 * intents.length),
      {
        timeout: 10_000,
      },
    );
    expect(stored()).toEqual([]);
    replicas.store.failWith(undefined);
    const answers = await asking;
    expect(answers.map(({ typename }) => typename)).toEqual(intents.map(() => 'GenerateImageSuccess'));
    expect(callsFor(intents)).toHaveLength(intents.length);
  });
});

describe(`an upstream that hangs, with three replicas ${FRONT}, of which one is killed`, () => {
  const intents = several('while the upstream hangs', 3 * CONCURRENCY);
  const [once, atLeastOnce] = ['AT_MOST_ONCE', 'AT_LEAST_ONCE'].map((guarantee) =>
    intents.filter(({ delivery }) => delivery === guarantee),
  ) as [Intent[], Intent[]];
  let lost: readonly string[];

  beforeAll(async () => {
    // The first call of each: nothing ever comes, or a byte a second. Those after it are answered.
    const first = new Map(intents.map(({ prompt }, index) => [prompt, index]));
    replicas.sandbox.behaveAlways(({ prompt }) => {
      const index = first.get(prompt);
      first.delete(prompt);
      if (index === undefined) return undefined;
      return index % 4 < 2 ? { kind: 'hang', at: 'before-headers' } : { kind: 'drip', everyMs: 1_000 };
    });
    const answered = wantAll(intents);
    await replicas.sandbox.journal.waitFor(intents.length, {
      ...{ timeoutMs: 10_000, where: ({ prompt }) => intents.some((intent) => intent.prompt === prompt) },
    });
    const [victim] = replicas.members as [Replica];
    lost = await generationsOf(victim);
    await victim.kill('SIGKILL');
    await victim.restart();
    await answered;
  }, 90_000);

  it('is left at the deadline, by heirs too, and every place of every replica is free again', async () => {
    expect(lost).toHaveLength(CONCURRENCY);
    const rows = await replicas.postgres.sql<{ id: string; calls: number; overtimeMs: number }>(
      `select g.id, count(a.id)::int as calls,
        (extract(epoch from g.finished_at - g.deadline_at) * 1000)::int as "overtimeMs"
      from generations g join attempts a on a.generation_id = g.id
      where g.prompt = any($1) and g.status <> 'SUCCEEDED' group by g.id`,
      [intents.map(({ prompt }) => prompt)],
    );
    expect(rows).toHaveLength(intents.length);
    // The deadline was over when the heirs came, so they called nobody.
    expect(rows.map(({ calls }) => calls)).toEqual(intents.map(() => 1));
    for (const { id, overtimeMs } of rows) {
      expect(overtimeMs).toBeLessThan(lost.includes(id) ? TAKEN_OVER_WITHIN_MS : 3_000);
    }
  });

  it('is bought again only by a client that asks again, where the key is free', () => {
    const typenamesOf = (intent: Intent) =>
      load.told.filter((answer) => answer.intent === intent).map(({ typename }) => typename);
    for (const intent of once) expect(typenamesOf(intent)).toEqual(['OutcomeUnknownError']);
    expect(callsFor(once)).toHaveLength(once.length);
    for (const intent of atLeastOnce) {
      // Whoever asks for a moment after the end has begun anew, and was never told of it.
      expect(['ProviderUnavailableError', undefined]).toContain(typenamesOf(intent).at(-2));
      expect(typenamesOf(intent).at(-1)).toBe('GenerateImageSuccess');
    }
    expect(callsFor(atLeastOnce)).toHaveLength(2 * atLeastOnce.length);
  });

  const generationsOf = async ({ pid }: Replica) => {
    const text = "select id from generations where status = 'RUNNING' and runner like '%:' || $1 || ':%'";
    return (await replicas.postgres.sql<{ id: string }>(text, [pid])).map(({ id }) => id);
  };
});

describe('the judge', () => {
  it('finds nothing in all of it', async () => {
    await load.settle(1_000);
    await untilAllEnded(replicas, TAKEN_OVER_WITHIN_MS);
    expect(judge(await collectEvidence(replicas, [load]))).toEqual([]);
    expect(load.refusals).toEqual([]);
  }, 90_000);
});

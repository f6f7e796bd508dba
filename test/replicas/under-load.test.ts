import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collectEvidence, untilAllEnded } from '../support/collect-evidence.ts';
import type { Answer, Intent } from '../support/evidence.ts';
import { judge } from '../support/judge.ts';
import { createLoad, type Load } from '../support/load.ts';
import { hasNginx } from '../support/nginx.ts';
import type { ProcessEnd } from '../support/process.ts';
import {
  FRONT,
  type Replica,
  type Replicas,
  startReplicas,
  TAKEN_OVER_WITHIN_MS,
} from '../support/replicas.ts';
import { troubledUpstream } from '../support/troubles.ts';

/** A rolling restart lets calls finish that take at most as long as the drain. */
const DRAIN_MS = 5_000;
const LATENCY_MS = [1_500, 3_500] as const;
const OPEN_CALLS = 50;

let replicas: Replicas;
let load: Load;
beforeAll(async () => {
  replicas = await startReplicas({ environment: { GESSO_DRAIN_MS: String(DRAIN_MS) } });
  const clients = [await replicas.addClient('amber'), await replicas.addClient('birch')];
  load = createLoad({ url: replicas.url, clients, about: 'loaded', seed: 'load' });
});
afterAll(() => replicas?.close());

const callsFor = (prompt: string) => replicas.sandbox.journal.calls((call) => call.prompt === prompt);
const openOn = async ({ pid }: Replica) => {
  const text = "select 1 from generations where status = 'RUNNING' and runner like '%:' || $1 || ':%'";
  return (await replicas.postgres.sql(text, [pid])).length;
};
/** The calls that were begun from then on, and of which nobody knows how they ended. */
const cutOffSince = (begin: Date) =>
  replicas.postgres.sql("select * from attempts where error_code = 'CUT_OFF' and started_at > $1", [begin]);

describe(`three replicas ${FRONT}`, () => {
  it('make one call of 100 concurrent requests with one key, and give 100 equal answers', async () => {
    const intent: Intent = { client: 'amber', key: 'one', prompt: 'asked by all', delivery: 'AT_MOST_ONCE' };
    replicas.pictures.hold(intent.prompt);
    const asking = Array.from({ length: 100 }, () => load.want(intent, 30));
    await replicas.sandbox.journal.waitFor(1);
    replicas.pictures.release();
    const answers = await Promise.all(asking);
    const said = ({ typename, generationId, image }: Answer) => [typename, generationId, image?.id];
    expect(new Set(answers.map((answer) => JSON.stringify(said(answer)))).size).toBe(1);
    expect(answers[0]?.typename).toBe('GenerateImageSuccess');
    expect(callsFor(intent.prompt)).toHaveLength(1);
  });

  it('finish what a client left that hung up, and replay it from any', async () => {
    const intent: Intent = { client: 'birch', key: 'one', prompt: 'left alone', delivery: 'AT_LEAST_ONCE' };
    replicas.pictures.hold(intent.prompt);
    // It asks for two seconds, and leaves after half of one.
    const left = await load.ask(intent, 2, -1_500);
    expect(left).toEqual({ kind: 'unanswered', why: 'waited for in vain' });
    expect(callsFor(intent.prompt)).toHaveLength(1);
    replicas.pictures.release();
    for (const _ of replicas.members) expect((await load.want(intent)).typename).toBe('GenerateImageSuccess');
    expect(callsFor(intent.prompt)).toHaveLength(1);
  });

  it('lose none of 50 calls that are open on one of them when it gets SIGTERM', async () => {
    const intents = Array.from({ length: 3 * OPEN_CALLS }, (_, index): Intent => {
      const name = `open on SIGTERM ${index}`;
      const delivery = index % 2 === 0 ? 'AT_MOST_ONCE' : 'AT_LEAST_ONCE';
      return { client: index % 3 === 0 ? 'amber' : 'birch', key: name, prompt: name, delivery };
    });
    const isOne = ({ prompt }: { prompt: string | undefined }) => prompt?.startsWith('open on') === true;
    replicas.pictures.hold('open on SIGTERM');
    const wanted = intents.map((intent) => load.want(intent, 30));
    await replicas.sandbox.journal.waitFor(intents.length, { where: isOne, timeoutMs: 20_000 });
    const open = await Promise.all(replicas.members.map(openOn));
    const busiest = replicas.members[open.indexOf(Math.max(...open))];
    expect(Math.max(...open)).toBeGreaterThanOrEqual(OPEN_CALLS);

    const ending = busiest?.kill('SIGTERM');
    await vi.waitFor(() => expect(busiest?.output).toContain('stopping'));
    replicas.pictures.release();
    expect(await ending).toEqual({ code: 0, signal: null });
    const answers = await Promise.all(wanted);
    expect(answers.map(({ typename }) => typename)).toEqual(intents.map(() => 'GenerateImageSuccess'));
    expect(replicas.sandbox.journal.calls(isOne)).toHaveLength(intents.length);
    await busiest?.restart();
  });
});

describe(`three replicas under a load of mixed keys from two clients, ${FRONT}`, () => {
  beforeAll(() => {
    replicas.sandbox.behaveAlways(troubledUpstream({ seed: 'under load', latencyMs: LATENCY_MS }));
    load.start({ everyMs: 35, openAtMost: 80 });
  });

  it('go on when one is killed with -9, and take it in again', async () => {
    for (const victim of replicas.members.slice(0, 2)) {
      await vi.waitFor(() => expect(load.open).toBeGreaterThan(40), { timeout: 20_000 });
      const before = load.told.length;
      expect(await victim.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      await vi.waitFor(() => expect(load.told.length).toBeGreaterThan(before + 10), { timeout: 10_000 });
      await victim.restart();
    }
  }, 60_000);

  it('are restarted one after the other with SIGTERM, and not a call is cut off', async () => {
    const begin = new Date();
    const ends: ProcessEnd[] = [];
    for (const member of replicas.members) {
      await vi.waitFor(() => expect(replicas.sandbox.journal.open).toBeGreaterThan(40), { timeout: 20_000 });
      const startedAt = performance.now();
      ends.push(await member.kill('SIGTERM'));
      expect(performance.now() - startedAt).toBeLessThan(DRAIN_MS + 5_000);
      await member.restart();
    }
    expect(ends).toEqual(replicas.members.map(() => ({ code: 0, signal: null })));
    await load.settle(TAKEN_OVER_WITHIN_MS);
    await untilAllEnded(replicas, 10_000);
    expect(await cutOffSince(begin)).toEqual([]);
  }, 90_000);

  it('have failed no request but such as are answered when they are asked again', () => {
    expect(load.refusals).toEqual([]);
  });

  it('are found right by the judge', async () => {
    expect(judge(await collectEvidence(replicas, [load]))).toEqual([]);
  }, 90_000);
});

describe.skipIf(!hasNginx)(`nginx in front of replicas that die${hasNginx ? '' : ' (not installed)'}`, () => {
  it('passes on what a dead one refused, and never repeats what was sent to one', async () => {
    const posts = (await replicas.nginx?.passed())?.filter(({ method }) => method === 'POST') ?? [];
    const passedOn = posts.filter((post) => post.replicas.length > 1);
    expect(passedOn.some(({ status }) => status === 200)).toBe(true);
    const cut = posts.filter(({ status, replicas: asked }) => status === 502 && asked.length === 1);
    expect(cut.length).toBeGreaterThan(0);
    for (const { statuses } of passedOn)
      expect(statuses.slice(0, -1)).toEqual(statuses.slice(0, -1).map(() => '502'));
  });
});

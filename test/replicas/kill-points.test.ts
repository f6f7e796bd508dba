import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collectEvidence, untilAllEnded } from '../support/collect-evidence.ts';
import type { Answer, Intent } from '../support/evidence.ts';
import { judge } from '../support/judge.ts';
import { createLoad, type Load } from '../support/load.ts';
import {
  FRONT,
  type Replica,
  type Replicas,
  startReplicas,
  TAKEN_OVER_WITHIN_MS,
} from '../support/replicas.ts';
import { lockTable } from '../support/table-lock.ts';

const intent = (prompt: string, delivery: Intent['delivery'], client = 'amber'): Intent => ({
  ...{ client, key: prompt, prompt: `${prompt} ${delivery}`, delivery },
});
/** One key text for both: they are different clients. */
const bothGuarantees = (prompt: string) =>
  [intent(prompt, 'AT_MOST_ONCE', 'amber'), intent(prompt, 'AT_LEAST_ONCE', 'birch')] as const;

/** Where each is when its replica is killed. */
const notSent = bothGuarantees('claimed and taken, not sent');
const sent = bothGuarantees('sent, not answered');
const answered = bothGuarantees('answered, not committed');
const committed = intent('committed, not told', 'AT_MOST_ONCE', 'admin');

let replicas: Replicas;
let load: Load;
const answers = new Map<Intent, Answer>();
beforeAll(async () => {
  replicas = await startReplicas({ count: 1, places: 3 });
  const [first] = replicas.members as [Replica];
  const clients = [
    await replicas.addClient('amber'),
    await replicas.addClient('birch'),
    { name: 'admin', apiKey: first.key },
  ];
  load = createLoad({ url: replicas.url, clients, about: '', seed: 'kill points' });
  // Whoever is to be killed is alone while it is asked, so that no other takes its jobs.
  await killBeforeTheReply(first);
  const second = await replicas.add();
  want(committed);
  await killInTheMiddle(second, () => Promise.all([first.restart(), replicas.add()]));
  await vi.waitFor(() => expect(answers.size).toBe(load.intents.length), { timeout: TAKEN_OVER_WITHIN_MS });
  // It comes back to the pictures that it had staged, and that others have replaced.
  await second.restart();
  await load.settle(1_000);
}, 90_000);
afterAll(() => replicas?.close());

const callsFor = ({ prompt }: Intent) => replicas.sandbox.journal.calls((call) => call.prompt === prompt);
const arrived = async (...intents: readonly Intent[]) => {
  for (const { prompt } of intents) {
    await replicas.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
  }
};
const outcomesOf = async ({ prompt }: Intent) => {
  const rows = await replicas.postgres.sql<{ outcome: string }>(
    'select outcome from attempts a join generations g on g.id = generation_id where prompt = $1 order by number',
    [prompt],
  );
  return rows.map(({ outcome }) => outcome);
};
const statusOf = async ({ prompt }: Intent) => {
  const text = 'select status from generations where prompt = $1';
  return (await replicas.postgres.sql<{ status: string }>(text, [prompt])).map(({ status }) => status);
};

/** Asks as a client does that stays until it has its answer. */
function want(...intents: readonly Intent[]): void {
  for (const each of intents) void load.want(each, 30).then((answer) => answers.set(each, answer));
}

async function killBeforeTheReply(replica: Replica): Promise<void> {
  replicas.pictures.hold(committed.prompt);
  // Only the reply reads clients, once the claim has looked there.
  const { prompt, key: idempotencyKey, delivery } = committed;
  const asking = replica.send(
    `mutation ($input: GenerateImageInput!) {
      generateImage(input: $input) { ... on GenerateImageSuccess { generation { client { name } } } }
    }`,
    { input: { prompt, idempotencyKey, delivery } },
  );
  const unanswered = expect(asking).rejects.toThrow('fetch failed');
  await arrived(committed);
  const lock = await lockTable(replicas.postgres, 'clients', 'access exclusive');
  replicas.pictures.release();
  await lock.untilSomebodyWaits();
  expect(await statusOf(committed)).toEqual(['SUCCEEDED']);
  await replica.kill('SIGKILL');
  await lock.end();
  await unanswered;
}

async function killInTheMiddle(replica: Replica, startHeirs: () => Promise<unknown>): Promise<void> {
  // The first calls are never answered; those of the heirs are.
  const first = new Set(sent.map(({ prompt }) => prompt));
  replicas.sandbox.behaveAlways(({ prompt }) =>
    first.delete(prompt) ? { kind: 'hang', at: 'before-headers' } : undefined,
  );
  replicas.pictures.hold('answered, not committed');
  want(...sent, ...answered);
  await arrived(...sent, ...answered);
  // From here on no attempt can be put on record, and none can end.
  const lock = await lockTable(replicas.postgres, 'attempts', 'share');
  want(...notSent);
  await lock.untilSomebodyWaits();
  replicas.pictures.release();
  const staged = async () =>
    (await readdir(join(replica.dataDir, 'staging'))).filter((name) => name.endsWith('.json'));
  await vi.waitFor(async () => expect(await staged()).toHaveLength(answered.length), { timeout: 5_000 });
  for (const each of [...sent, ...answered, ...notSent]) {
    await vi.waitFor(async () => expect(await statusOf(each)).toEqual(['RUNNING']));
  }
  await startHeirs();
  await replica.kill('SIGKILL');
  await lock.end();
}

describe(`a replica that is killed with -9, and its heirs, ${FRONT}`, () => {
  it('leave what was claimed and not sent to be sent once, under both guarantees', async () => {
    for (const each of notSent) {
      expect(answers.get(each)?.typename).toBe('GenerateImageSuccess');
      expect(await outcomesOf(each)).toEqual(['SUCCEEDED']);
      expect(callsFor(each)).toHaveLength(1);
    }
  });

  it.each([
    { when: 'sent and not answered', intents: sent },
    // The picture is on the disk of the dead, which the heirs don't have.
    { when: 'answered and not committed', intents: answered },
  ])('go by the guarantee of what was $when', async ({ intents: [once, atLeastOnce] }) => {
    expect(answers.get(once)?.typename).toBe('OutcomeUnknownError');
    expect(await outcomesOf(once)).toEqual(['UNKNOWN']);
    expect(callsFor(once)).toHaveLength(1);

    expect(answers.get(atLeastOnce)?.typename).toBe('GenerateImageSuccess');
    expect(await outcomesOf(atLeastOnce)).toEqual(['UNKNOWN', 'SUCCEEDED']);
    expect(callsFor(atLeastOnce)).toHaveLength(2);
  });

  it('replay what was committed and not told', async () => {
    expect(answers.get(committed)?.typename).toBe('GenerateImageSuccess');
    expect(callsFor(committed)).toHaveLength(1);
  });

  it('are found right by the judge, the dead one having come back', async () => {
    await untilAllEnded(replicas, 5_000);
    expect(judge(await collectEvidence(replicas, [load]))).toEqual([]);
    expect(load.refusals).toEqual([]);
  }, 90_000);
});

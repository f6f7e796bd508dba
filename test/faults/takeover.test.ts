import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/process.ts';

const UPSTREAM_KEY = 'sk-upstream-of-the-takeover-tests';
/** A heartbeat is 10 s at least; the one who sweeps must have had the database for as long, and looks every 2 s. */
const FOUND_WITHIN_MS = 25_000;

const frozenOnce = { prompt: 'frozen, at most once', idempotencyKey: 'frozen-1', delivery: 'AT_MOST_ONCE' };
const frozen = { prompt: 'frozen, at least once', idempotencyKey: 'frozen-2' };
const killed = { prompt: 'killed, at least once', idempotencyKey: 'killed' };

describe('two replicas that stop in the middle of calls, one frozen and one killed', () => {
  const pictures = createHeldPictures();
  const started: GatewayProcess[] = [];
  let database: TestDatabase;
  let storage: string;
  let sandbox: Sandbox;
  let sleeper: GatewayProcess;
  let heir: GatewayProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    storage = await mkdtemp(join(tmpdir(), 'gesso-shared-'));
    sandbox = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: pictures.paint });
    pictures.hold('least once');
    pictures.hold('most once');

    // Each is alone when it is asked, so that no other takes its jobs.
    sleeper = await startReplica();
    for (const input of [frozenOnce, frozen]) await sleeper.generateImage({ ...input, waitSeconds: 0 });
    await sandbox.journal.waitFor(2);
    process.kill(sleeper.pid, 'SIGSTOP');
    const victim = await startReplica();
    await victim.generateImage({ ...killed, waitSeconds: 0 });
    await sandbox.journal.waitFor(3);
    await victim.kill('SIGKILL');

    pictures.letPass();
    heir = await startReplica();
    await vi.waitFor(
      async () => expect(await heir.sql('select 1 from generations where finished_at is null')).toEqual([]),
      { timeout: FOUND_WITHIN_MS, interval: 200 },
    );
  });
  afterAll(async () => {
    await Promise.all(started.map((replica) => replica.close()));
    await sandbox.close();
    await database.drop();
    await rm(storage, { recursive: true, force: true });
  });

  async function startReplica(): Promise<GatewayProcess> {
    const replica = await startGatewayProcess({
      upstreamUrl: sandbox.baseUrl,
      upstreamKey: UPSTREAM_KEY,
      environment: { DATABASE_URL: database.url, GESSO_STORAGE_URL: storage },
    });
    started.push(replica);
    return replica;
  }

  it('are found by the silence of their hearts, and each generation goes by its guarantee', async () => {
    const answers = [frozenOnce, frozen, killed].map((input) => heir.generateImage(input));
    const unknown = { outcome: 'UNKNOWN', errorCode: 'CUT_OFF' };
    const madeGood = {
      __typename: 'GenerateImageSuccess',
      replayed: true,
      generation: { attempts: [unknown, { outcome: 'SUCCEEDED' }] },
    };
    expect(await Promise.all(answers)).toMatchObject([
      { __typename: 'OutcomeUnknownError', generation: { status: 'UNKNOWN', attempts: [unknown] } },
      madeGood,
      madeGood,
    ]);
    expect(sandbox.journal.calls().map(({ prompt }) => prompt)).toEqual(
      expect.arrayContaining([frozenOnce.prompt, frozen.prompt, frozen.prompt, killed.prompt, killed.prompt]),
    );
    expect(sandbox.journal.calls()).toHaveLength(5);
  });

  it('can change nothing when the frozen one wakes with its answers', async () => {
    const before = await ledger();
    pictures.release();
    process.kill(sleeper.pid, 'SIGCONT');
    const fenced = () => sleeper.output.split('\n').filter((line) => line.includes('"type":"FencedError"'));
    await vi.waitFor(() => expect(fenced()).toHaveLength(2), { timeout: 10_000 });
    const again = await sleeper.generateImage(frozen);
    expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(await ledger()).toEqual(before);
    expect(sandbox.journal.calls()).toHaveLength(5);
  });

  /** All that is on record, but for the lines of replays. */
  async function ledger(): Promise<unknown> {
    const dump = ['generations', 'attempts', 'images', 'audit_events'].map((table) =>
      heir.sql(
        `select row_to_json(t) as row from ${table} t
        where row_to_json(t)->>'action' is distinct from 'GENERATION_REPLAYED' order by id`,
      ),
    );
    return Promise.all(dump);
  }
});

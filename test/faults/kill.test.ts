import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import type { ImageResult } from '../support/graphql-client.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/process.ts';

const UPSTREAM_KEY = 'sk-upstream-of-the-kill-tests';
const CONCURRENCY = 2;

const pictures = createHeldPictures();
let sandbox: Sandbox;
let gateway: GatewayProcess;
beforeAll(async () => {
  sandbox = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: pictures.paint });
  gateway = await startGatewayProcess({
    upstreamUrl: sandbox.baseUrl,
    upstreamKey: UPSTREAM_KEY,
    environment: { GESSO_CONCURRENCY: String(CONCURRENCY) },
  });
});
afterAll(async () => {
  await gateway?.close();
  await sandbox?.close();
});

const callsFor = (prompt: string) => sandbox.journal.calls((call) => call.prompt === prompt);
const requestIdsOf = (prompt: string) => callsFor(prompt).map(({ requestId }) => requestId);
const recordedIdsOf = ({ generation }: ImageResult) => generation?.attempts.map(({ requestId }) => requestId);
const arrived = (prompt: string) => sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });

const bothGuarantees = (prompt: string) =>
  ['AT_MOST_ONCE', 'AT_LEAST_ONCE'].map((delivery) => ({
    prompt: `${prompt}, ${delivery}`,
    idempotencyKey: `${prompt}, ${delivery}`,
    delivery,
  }));

/** Asks, and leaves: nobody is there when the gateway is killed. */
const begin = (input: object) => gateway.generateImage({ ...input, waitSeconds: 0 });

const rowsOf = (prompt: string) =>
  gateway.sql<{ status: string; outcomes: string[] }>(
    `select g.status, coalesce(array_agg(a.outcome order by a.number) filter (where a.id is not null), '{}') as outcomes
    from generations g left join attempts a on a.generation_id = g.id where g.prompt = $1 group by g.id`,
    [prompt],
  );

async function killAndRestart(lock?: TableLock): Promise<void> {
  expect(await gateway.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  await lock?.endThoseWhoWait();
  pictures.release();
  await gateway.restart();
  await lock?.end();
}

interface TableLock {
  untilSomebodyWaits(): Promise<void>;
  /** Of a dead gateway; else its statement would still be carried out when the lock goes with the server. */
  endThoseWhoWait(): Promise<void>;
  end(): Promise<void>;
}

/** Locks a table until the server is stopped by the next start. */
async function lockTable(name: string): Promise<TableLock> {
  const [holder, watcher]: [pg.Client, pg.Client] = [await gateway.connect(), await gateway.connect()];
  await holder.query(`begin; lock table ${name} in access exclusive mode`);
  const waiting = `from pg_locks where relation = '${name}'::regclass and not granted`;
  return {
    untilSomebodyWaits: () =>
      vi.waitFor(
        async () => expect((await watcher.query(`select 1 ${waiting}`)).rowCount).toBeGreaterThan(0),
        { timeout: 10_000 },
      ),
    async endThoseWhoWait() {
      // With a limit, the statement resolves once they are gone.
      await watcher.query(`select pg_terminate_backend(pid, 5000) ${waiting}`);
    },
    async end() {
      await Promise.allSettled([holder.end(), watcher.end()]);
    },
  };
}

describe('kill -9 with two calls sent and one generation waiting', () => {
  const atMostOnce = { prompt: 'sent at most once', idempotencyKey: 'sent-1', delivery: 'AT_MOST_ONCE' };
  const atLeastOnce = { prompt: 'sent at least once', idempotencyKey: 'sent-2' };
  const waiting = { prompt: 'still in the queue', idempotencyKey: 'queued' };

  beforeAll(async () => {
    pictures.hold('sent at');
    await begin(atMostOnce);
    await begin(atLeastOnce);
    await Promise.all([arrived(atMostOnce.prompt), arrived(atLeastOnce.prompt)]);
    await begin(waiting);
    expect(await rowsOf(waiting.prompt)).toEqual([{ status: 'QUEUED', outcomes: [] }]);
    expect(await rowsOf(atMostOnce.prompt)).toEqual([{ status: 'RUNNING', outcomes: ['PENDING'] }]);
    await killAndRestart();
  });

  it('ends UNKNOWN what was sent AT_MOST_ONCE: no second call, and its key held', async () => {
    const result = await gateway.generateImage(atMostOnce);
    expect(result).toMatchObject({
      __typename: 'OutcomeUnknownError',
      generation: { status: 'UNKNOWN', attempts: [{ number: 1, outcome: 'UNKNOWN', errorCode: 'CUT_OFF' }] },
    });
    expect(await gateway.generateImage(atMostOnce)).toEqual(result);
    expect(requestIdsOf(atMostOnce.prompt)).toEqual(recordedIdsOf(result));
  });

  it('makes good what was sent AT_LEAST_ONCE, with both attempts on record', async () => {
    const result = await gateway.generateImage(atLeastOnce);
    expect(result).toMatchObject({
      __typename: 'GenerateImageSuccess',
      replayed: true,
      generation: {
        attempts: [
          { number: 1, outcome: 'UNKNOWN', errorCode: 'CUT_OFF' },
          { number: 2, outcome: 'SUCCEEDED' },
        ],
      },
    });
    expect(requestIdsOf(atLeastOnce.prompt)).toEqual(recordedIdsOf(result));
    expect(callsFor(atLeastOnce.prompt)).toHaveLength(2);
  });

  it('sends once what was waiting', async () => {
    const result = await gateway.generateImage(waiting);
    expect(result).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(callsFor(waiting.prompt)).toHaveLength(1);
  });
});

describe('kill -9 between the claim and the attempt', () => {
  it('sends once after the restart, under both guarantees', async () => {
    const inputs = bothGuarantees('taken, not sent');
    const lock = await lockTable('attempts');
    for (const input of inputs) {
      // Not asked for its attempts, for which it would wait as well.
      const { body } = await gateway.send(
        'mutation ($input: GenerateImageInput!) { generateImage(input: $input) { __typename } }',
        { input: { ...input, waitSeconds: 0 } },
      );
      expect(body.data).toEqual({ generateImage: { __typename: 'GenerationPending' } });
    }
    await lock.untilSomebodyWaits();
    await killAndRestart(lock);

    for (const input of inputs) {
      const result = await gateway.generateImage(input);
      expect(result).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
      expect(requestIdsOf(input.prompt)).toEqual(recordedIdsOf(result));
      expect(callsFor(input.prompt)).toHaveLength(1);
    }
  });
});

describe('kill -9 between the answer and the commit', () => {
  it('commits the pictures that came, without another call, under both guarantees', async () => {
    const inputs = bothGuarantees('came, not committed');
    const staged = async () =>
      (await readdir(join(gateway.dataDir, 'staging'))).filter((name) => name.endsWith('.json'));
    const lock = await lockTable('images');
    for (const input of inputs) await begin(input);
    await lock.untilSomebodyWaits();
    await vi.waitFor(async () => expect(await staged()).toHaveLength(inputs.length));
    for (const input of inputs) {
      expect(await rowsOf(input.prompt)).toEqual([{ status: 'RUNNING', outcomes: ['PENDING'] }]);
    }
    await killAndRestart(lock);

    for (const input of inputs) {
      const result = await gateway.generateImage(input);
      expect(result).toMatchObject({
        __typename: 'GenerateImageSuccess',
        replayed: true,
        generation: { attempts: [{ number: 1, outcome: 'SUCCEEDED' }] },
      });
      expect((await fetch(result.image?.url.replace('localhost', '127.0.0.1') ?? '')).status).toBe(200);
      expect(requestIdsOf(input.prompt)).toEqual(recordedIdsOf(result));
    }
    await vi.waitFor(async () => expect(await staged()).toEqual([]));
  });
});

describe('kill -9 between the commit and the reply', () => {
  it('replays for the same key', async () => {
    const input = { prompt: 'committed, not told', idempotencyKey: 'committed' };
    pictures.hold(input.prompt);
    // Only the reply reads clients, once the claim has looked there.
    const asking = gateway.send(
      `mutation ($input: GenerateImageInput!) {
        generateImage(input: $input) { ... on GenerateImageSuccess { generation { client { name } } } }
      }`,
      { input },
    );
    const unanswered = expect(asking).rejects.toThrow('fetch failed');
    await arrived(input.prompt);
    const lock = await lockTable('clients');
    pictures.release();
    await lock.untilSomebodyWaits();
    expect(await rowsOf(input.prompt)).toEqual([{ status: 'SUCCEEDED', outcomes: ['SUCCEEDED'] }]);
    await killAndRestart(lock);
    await unanswered;

    const result = await gateway.generateImage(input);
    expect(result).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import type { ImageResult } from '../support/graphql-client.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { type GatewayProcess, type ProcessEnd, startGatewayProcess } from '../support/process.ts';

const UPSTREAM_KEY = 'sk-upstream-of-the-sigterm-tests';
const DRAIN_MS = 1_000;

/** How each is found by SIGTERM, and what becomes of it. All of them have somebody waiting. */
const sentAndQuick = { prompt: 'answers within the drain', idempotencyKey: 'quick' };
const sentAndSlow = { prompt: 'outlasts the drain', idempotencyKey: 'slow' };
const sentOnce = { prompt: 'outlasts the drain too', idempotencyKey: 'once', delivery: 'AT_MOST_ONCE' };
const betweenTries = { prompt: 'waits for its second try', idempotencyKey: 'retry' };
const queued = { prompt: 'has not had its turn', idempotencyKey: 'queued' };
const RUNNING = [sentAndQuick, sentAndSlow, sentOnce, betweenTries];

const pictures = createHeldPictures();
let sandbox: Sandbox;
let gateway: GatewayProcess;
beforeAll(async () => {
  sandbox = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: pictures.paint });
  gateway = await startGatewayProcess({
    upstreamUrl: sandbox.baseUrl,
    upstreamKey: UPSTREAM_KEY,
    environment: {
      GESSO_CONCURRENCY: String(RUNNING.length),
      GESSO_DRAIN_MS: String(DRAIN_MS),
      GESSO_RETRY_DELAYS_MS: '60000',
    },
  });
});
afterAll(async () => {
  await gateway?.close();
  await sandbox?.close();
});

const callsFor = (prompt: string) => sandbox.journal.calls((call) => call.prompt === prompt);

describe('SIGTERM with calls open, waits begun and a queue', () => {
  let end: ProcessEnd;
  let tookMs: number;
  let handedOverAfterMs: number;
  let answers: Record<string, ImageResult>;
  let outcomesAtEnd: Record<string, string[]>;

  beforeAll(async () => {
    pictures.hold(sentAndQuick.prompt);
    sandbox.behaveAlways(({ prompt }) => {
      if (prompt.startsWith('outlasts')) return { kind: 'hang', at: 'before-headers' };
      return prompt === betweenTries.prompt ? { kind: 'status', status: 429 } : undefined;
    });
    const running = RUNNING.map((input) => gateway.generateImage(input));
    await sandbox.journal.waitFor(RUNNING.length);
    await vi.waitFor(async () => expect(await outcomes()).toMatchObject({ retry: ['NOT_ACCEPTED'] }));
    const waiting = gateway.generateImage(queued);
    await vi.waitFor(async () => expect(await outcomes()).toMatchObject({ queued: [] }));

    const startedAt = performance.now();
    const ending = gateway.kill('SIGTERM');
    await running[RUNNING.indexOf(betweenTries)];
    handedOverAfterMs = performance.now() - startedAt;
    await vi.waitFor(() => expect(gateway.output).toContain('stopping'));
    await expect(fetch(`${gateway.url}/readyz`)).rejects.toThrow('fetch failed');
    pictures.release();
    const [quick, slow, once, retry] = await Promise.all(running);
    answers = { quick, slow, once, retry, queued: await waiting } as Record<string, ImageResult>;
    end = await ending;
    tookMs = performance.now() - startedAt;
    sandbox.behaveAlways(undefined);
    await gateway.restart();
    outcomesAtEnd = await untilAllEnded();
  });

  it('ends with code 0, soon after the drain', () => {
    expect(end).toEqual({ code: 0, signal: null });
    expect(tookMs).toBeGreaterThanOrEqual(DRAIN_MS - 2);
    expect(tookMs).toBeLessThan(DRAIN_MS + 5_000);
  });

  it('lets a call finish that was sent, and answers who waits for it', () => {
    expect(answers.quick).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(callsFor(sentAndQuick.prompt)).toHaveLength(1);
  });

  it('hands over a wait between tries at once, and the next start goes on with it', () => {
    expect(handedOverAfterMs).toBeLessThan(DRAIN_MS);
    expect(answers.retry).toMatchObject({
      __typename: 'GenerationPending',
      generation: { status: 'RUNNING' },
    });
    expect(outcomesAtEnd.retry).toEqual(['NOT_ACCEPTED', 'SUCCEEDED']);
    expect(callsFor(betweenTries.prompt)).toHaveLength(2);
  });

  it('leaves what was not begun to the next start', () => {
    expect(answers.queued).toMatchObject({ __typename: 'GenerationPending', generation: { attempts: [] } });
    expect(outcomesAtEnd.queued).toEqual(['SUCCEEDED']);
    expect(callsFor(queued.prompt)).toHaveLength(1);
  });

  it('cuts what outlasts the drain, which then goes by its guarantee', () => {
    expect(answers.once).toMatchObject({
      __typename: 'OutcomeUnknownError',
      generation: { status: 'UNKNOWN' },
    });
    expect(outcomesAtEnd.once).toEqual(['UNKNOWN']);
    expect(callsFor(sentOnce.prompt)).toHaveLength(1);
    expect(answers.slow).toMatchObject({ __typename: 'GenerationPending' });
    expect(outcomesAtEnd.slow).toEqual(['UNKNOWN', 'SUCCEEDED']);
    expect(callsFor(sentAndSlow.prompt)).toHaveLength(2);
  });

  it('loses none: each key still answers', async () => {
    for (const input of [sentAndQuick, sentAndSlow, betweenTries, queued]) {
      expect(await gateway.generateImage(input)).toMatchObject({
        __typename: 'GenerateImageSuccess',
        replayed: true,
      });
    }
    expect(await gateway.generateImage(sentOnce)).toEqual(answers.once);
    expect(sandbox.journal.calls()).toHaveLength(7);
  });

  /** What is on record of each attempt, by idempotency key. */
  async function outcomes(): Promise<Record<string, string[]>> {
    const rows = await gateway.sql<{ key: string; outcomes: string[] }>(
      `select idempotency_key as key,
        coalesce(array_agg(outcome order by number) filter (where outcome is not null), '{}') as outcomes
      from generations g left join attempts a on a.generation_id = g.id group by g.id`,
    );
    return Object.fromEntries(rows.map((row) => [row.key, row.outcomes]));
  }

  async function untilAllEnded(): Promise<Record<string, string[]>> {
    await vi.waitFor(
      async () =>
        expect(await gateway.sql('select 1 from generations where finished_at is null')).toEqual([]),
      { timeout: 10_000 },
    );
    return outcomes();
  }
});

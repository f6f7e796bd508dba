import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

interface SeenAttempt {
  readonly requestId: string | undefined;
  /** What another connection saw in the ledger while the request was in the upstream's hands. */
  readonly rows: readonly { number: number; outcome: string; prompt: string }[];
}
const seen: SeenAttempt[] = [];
const picture = plainPicture({ width: 64, height: 64 });

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    upstream: {
      async pictures({ requestId }) {
        const rows = await gateway.sql<SeenAttempt['rows'][number]>(
          `select a.number, a.outcome, g.prompt from attempts a join generations g on g.id = a.generation_id
          where a.request_id = $1`,
          [requestId],
        );
        seen.push({ requestId, rows });
        return picture;
      },
    },
  });
});
afterAll(() => gateway.close());
beforeEach(() => {
  seen.length = 0;
  gateway.sandbox.journal.clear();
});

describe('an attempt', () => {
  it('is committed as PENDING, with the X-Request-Id that the upstream gets, before it gets it', async () => {
    const prompt = 'on record first';
    gateway.sandbox.behave({ kind: 'truncated-json' }, { kind: 'normal' });
    const { generation } = await gateway.generateImage({ prompt, idempotencyKey: freshKey() });
    expect(seen.map(({ rows }) => rows)).toEqual([
      [{ number: 1, outcome: 'PENDING', prompt }],
      [{ number: 2, outcome: 'PENDING', prompt }],
    ]);
    const recorded = generation?.attempts.map(({ requestId }) => requestId);
    expect(seen.map(({ requestId }) => requestId)).toEqual(recorded);
    expect(new Set(recorded).size).toBe(2);
  });
});

describe('the audit trail of a retried generation', () => {
  interface Trail {
    auditEvents: {
      edges: {
        node: {
          action: string;
          requestId: string;
          message: string | null;
          client: { name: string } | null;
          generation: { id: string } | null;
          attempt: { number: number; requestId: string; outcome: string; httpStatus: number | null } | null;
        };
      }[];
    };
  }

  it('shows each attempt with the request id that the upstream saw, oldest first', async () => {
    const input = { prompt: 'three tries', idempotencyKey: freshKey() };
    gateway.sandbox.behave(
      { kind: 'status', status: 429, code: 'slow_down' },
      { kind: 'status', status: 502, billed: true },
    );
    const { generation } = await gateway.generateImage(input);
    await gateway.generateImage(input);
    const read = async () => {
      const { auditEvents } = await gateway.query<Trail>(
        `query ($id: ID!) {
          auditEvents(filter: { generationId: $id }, last: 20) {
            edges { node {
              action requestId message client { name } generation { id }
              attempt { number requestId outcome httpStatus }
            } }
          }
        }`,
        { id: generation?.id },
      );
      return auditEvents.edges.map(({ node }) => node).toReversed();
    };
    // The line of a replay is written behind its answer.
    await expect.poll(async () => (await read()).at(-1)?.action).toBe('GENERATION_REPLAYED');
    const trail = await read();

    const sent = gateway.sandbox.journal.calls().map(({ requestId }) => requestId);
    expect(sent).toHaveLength(3);
    const [first, second, third] = [
      { number: 1, requestId: sent[0], outcome: 'NOT_ACCEPTED', httpStatus: 429 },
      { number: 2, requestId: sent[1], outcome: 'UNKNOWN', httpStatus: 502 },
      { number: 3, requestId: sent[2], outcome: 'SUCCEEDED', httpStatus: 200 },
    ];
    expect(trail.map(({ action, attempt }) => [action, attempt])).toEqual([
      ['GENERATION_REQUESTED', null],
      ['ATTEMPT_STARTED', first],
      ['ATTEMPT_FINISHED', first],
      ['ATTEMPT_STARTED', second],
      ['ATTEMPT_FINISHED', second],
      ['ATTEMPT_STARTED', third],
      ['ATTEMPT_FINISHED', third],
      ['GENERATION_SUCCEEDED', null],
      ['GENERATION_REPLAYED', null],
    ]);
    for (const [index, requestId] of sent.entries()) {
      expect(trail[1 + 2 * index]?.message).toContain(`request id ${requestId}`);
    }
    expect(new Set(trail.map((event) => event.generation?.id))).toEqual(new Set([generation?.id]));
    expect(new Set(trail.map((event) => event.client?.name))).toEqual(new Set(['admin']));
    // All but the replay were done for the request that asked first.
    expect(new Set(trail.slice(0, -1).map((event) => event.requestId)).size).toBe(1);
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ environment: { GESSO_RETRY_DELAYS_MS: '5,5' } });
});
afterAll(() => gateway.close());
afterEach(() => gateway.sandbox.behaveAlways(undefined));

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

type Guarantee = 'AT_MOST_ONCE' | 'AT_LEAST_ONCE';

/** A row of the table "how it ended", and how many calls it takes to end so. */
interface Row {
  readonly behaviour: Behaviour;
  readonly answer: string;
  readonly code: string | undefined;
  readonly calls: number;
  readonly key: 'held' | 'free';
}

const GUARANTEES: readonly Guarantee[] = ['AT_MOST_ONCE', 'AT_LEAST_ONCE'];
const both = (what: string, row: Row): [string, Guarantee, Row][] =>
  GUARANTEES.map((delivery) => [what, delivery, row]);
const rejected = (status: number, code: string | null, row: Partial<Row>): Row => ({
  behaviour: { kind: 'status', status, code },
  answer: 'ProviderRejectedError',
  code: 'PROVIDER_REJECTED',
  calls: 1,
  key: 'held',
  ...row,
});
const policy = { answer: 'ContentPolicyError', code: 'CONTENT_POLICY' };
const invalid: Omit<Row, 'behaviour' | 'key'> = {
  answer: 'InvalidImageError',
  code: 'INVALID_IMAGE',
  calls: 1,
};

const TABLE: [what: string, delivery: Guarantee, row: Row][] = [
  ...both('succeeded', {
    behaviour: { kind: 'normal' },
    answer: 'GenerateImageSuccess',
    code: undefined,
    calls: 1,
    key: 'held',
  }),
  ...both('400', rejected(400, 'bad_prompt', {})),
  ...both('422', rejected(422, 'unprocessable', {})),
  ...both('refused by policy, 400', rejected(400, 'content_policy_violation', policy)),
  ...both('refused by policy, 403', rejected(403, 'moderation_blocked', policy)),
  ...both('401', rejected(401, 'invalid_api_key', { key: 'free' })),
  ...both('403', rejected(403, null, { key: 'free' })),
  ...both('404', rejected(404, 'model_not_found', { key: 'free' })),
  ...both('attempts used up, never accepted', {
    behaviour: { kind: 'status', status: 503 },
    answer: 'ProviderUnavailableError',
    code: 'PROVIDER_UNAVAILABLE',
    calls: 3,
    key: 'free',
  }),
  [
    'attempts used up, perhaps accepted',
    'AT_LEAST_ONCE',
    {
      behaviour: { kind: 'status', status: 500, billed: true },
      answer: 'ProviderUnavailableError',
      code: 'PROVIDER_UNAVAILABLE',
      calls: 3,
      key: 'free',
    },
  ],
  [
    'sent and no whole answer',
    'AT_MOST_ONCE',
    {
      behaviour: { kind: 'reset', at: 'before-headers' },
      answer: 'OutcomeUnknownError',
      code: 'OUTCOME_UNKNOWN',
      calls: 1,
      key: 'held',
    },
  ],
  [
    'no image that decodes',
    'AT_MOST_ONCE',
    { ...invalid, behaviour: { kind: 'broken-picture', fault: 'bad-pixels' }, key: 'held' },
  ],
  [
    'no image that decodes',
    'AT_LEAST_ONCE',
    { ...invalid, behaviour: { kind: 'broken-picture', fault: 'bad-pixels' }, key: 'free' },
  ],
  [
    'no image at all',
    'AT_MOST_ONCE',
    { ...invalid, behaviour: { kind: 'no-picture', shape: 'null' }, key: 'held' },
  ],
  [
    'no image at all',
    'AT_LEAST_ONCE',
    { ...invalid, behaviour: { kind: 'no-picture', shape: 'null' }, key: 'free' },
  ],
];

describe('how it ended, and what its key answers when it is asked again', () => {
  it.each(TABLE)('%s, %s', async (what, delivery, { behaviour, answer, code, calls, key }) => {
    const input = { prompt: `${what}, ${delivery}`, delivery, idempotencyKey: freshKey() };
    gateway.sandbox.behaveAlways(behaviour);
    const first = await gateway.generateImage(input);
    expect(first.__typename).toBe(answer);
    expect(first.generation?.failure?.code).toBe(code);
    expect(callsFor(input.prompt)).toHaveLength(calls);

    gateway.sandbox.behaveAlways(undefined);
    const again = await gateway.generateImage(input);
    const changed = await gateway.generateImage({ ...input, size: 'LANDSCAPE_1536X1024' });
    expect(changed.__typename).toBe('IdempotencyConflictError');
    if (key === 'held') {
      expect(again).toEqual(first.replayed === undefined ? first : { ...first, replayed: true });
      expect(callsFor(input.prompt)).toHaveLength(calls);
    } else {
      expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
      expect(again.generation?.id).not.toBe(first.generation?.id);
      expect(callsFor(input.prompt)).toHaveLength(calls + 1);
      await expectOnRecord(first.generation?.id, 'FAILED');
    }
  });

  it("tells the provider's own word for a rejection", async () => {
    gateway.sandbox.behave({ kind: 'status', status: 400, code: 'bad_prompt', message: 'No unicorns.' });
    expect(await gateway.generateImage({ prompt: 'a unicorn' })).toMatchObject({
      providerCode: 'bad_prompt',
      message: expect.stringContaining('No unicorns.'),
      retryable: false,
    });
  });

  /** The old generation stays on record when its key is used anew. */
  async function expectOnRecord(id: string | undefined, status: string): Promise<void> {
    const data = await gateway.query<{ generation: { status: string } }>(
      'query ($id: ID!) { generation(id: $id) { status } }',
      { id },
    );
    expect(data.generation.status).toBe(status);
  }
});

describe('an answer whose picture is refused', () => {
  it('leaves its bytes to the operator', async () => {
    const rejectedFolder = join(gateway.dataDir, 'rejected');
    const before = new Set(await readdir(rejectedFolder));
    gateway.sandbox.behave({ kind: 'broken-picture', fault: 'svg' });
    const result = await gateway.generateImage({ prompt: 'a vector' });
    expect(result.__typename).toBe('InvalidImageError');
    const kept = (await readdir(rejectedFolder)).filter((name) => !before.has(name));
    expect(kept).toHaveLength(1);
    expect(await readFile(join(rejectedFolder, kept[0] ?? ''), 'utf8')).toContain('<svg');
  });
});

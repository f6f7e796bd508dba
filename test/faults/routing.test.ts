import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { freshKey } from '../support/gateway.ts';
import {
  attemptsOf,
  type RoutedGateways,
  routedGeneration,
  startRoutedGateways,
} from '../support/routed-gateways.ts';

const DEADLINE_MS = 60_000;

let routed: RoutedGateways;
beforeAll(async () => {
  routed = await startRoutedGateways({
    providers: ['first', 'second'],
    environment: { GESSO_DEADLINE_MS: String(DEADLINE_MS), GESSO_RETRY_DELAYS_MS: '10,20' },
  });
});
afterAll(() => routed.close());
afterEach(() => {
  for (const name of ['first', 'second']) routed.upstream(name).behaveAlways(undefined);
});

const answers = (status: number, more: object = {}): Behaviour => ({ kind: 'status', status, ...more });
const thrice = (outcome: string) => Array.from({ length: 3 }, () => `first ${outcome}`);
const DRAWN = 'second SUCCEEDED';

/** What the first provider does, one behaviour after the other, the last one for ever; and what comes of it. */
interface Row {
  readonly what: string;
  readonly does: readonly Behaviour[];
  readonly delivery: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE';
  /** The member of the union. */
  readonly answer: string;
  readonly attempts: readonly string[];
}

const both = (row: Omit<Row, 'delivery'>): Row[] =>
  (['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const).map((delivery) => ({ ...row, delivery }));
const goesOn = (what: string, attempts: readonly string[], ...does: Behaviour[]): Row[] =>
  both({ what, does, answer: 'GenerateImageSuccess', attempts: [...attempts, DRAWN] });
/** What may have been accepted goes on only where the client would rather pay twice than have no image. */
const byGuarantee = (
  what: string,
  { least, most }: { least: readonly string[]; most: readonly string[] },
  ...does: Behaviour[]
): Row[] => [
  { what, does, delivery: 'AT_LEAST_ONCE', answer: 'GenerateImageSuccess', attempts: [...least, DRAWN] },
  { what, does, delivery: 'AT_MOST_ONCE', answer: 'OutcomeUnknownError', attempts: most },
];
const stays = (what: string, answer: string, attempts: readonly string[], ...does: Behaviour[]): Row[] =>
  both({ what, does, answer, attempts });

const ONE_UNKNOWN = { least: thrice('UNKNOWN'), most: ['first UNKNOWN'] };
const ROWS: readonly Row[] = [
  ...[408, 409, 425, 429, 503].flatMap((status) =>
    goesOn(`${status}`, thrice('NOT_ACCEPTED'), answers(status)),
  ),
  ...goesOn(
    '429 until after the deadline',
    ['first NOT_ACCEPTED'],
    answers(429, { headers: { 'retry-after': `${DEADLINE_MS}` } }),
  ),
  ...[401, 403, 404, 402].flatMap((status) => goesOn(`${status}`, ['first REJECTED'], answers(status))),
  // It says nothing of whether the call was carried out before.
  ...([302, 303, 307] as const).flatMap((status): Row[] => {
    const does: Behaviour[] = [{ kind: 'redirect', status, location: 'https://elsewhere.example/' }];
    const [least] = goesOn(`${status}`, ['first REJECTED'], ...does);
    const most: Row = {
      what: `${status}`,
      does,
      delivery: 'AT_MOST_ONCE',
      answer: 'ProviderRejectedError',
      attempts: ['first REJECTED'],
    };
    return least === undefined ? [most] : [least, most];
  }),
  ...goesOn(
    '429 for longer than the next wait',
    ['first NOT_ACCEPTED'],
    answers(429, { headers: { 'retry-after': '20' } }),
  ),
  ...[500, 502, 504].flatMap((status) => byGuarantee(`${status}`, ONE_UNKNOWN, answers(status))),
  ...byGuarantee('500, and billed', ONE_UNKNOWN, answers(500, { billed: true })),
  ...byGuarantee('a reset before the headers, billed', ONE_UNKNOWN, { kind: 'reset', at: 'before-headers' }),
  ...byGuarantee('half an answer', ONE_UNKNOWN, { kind: 'close', at: 'mid-body' }),
  ...byGuarantee('JSON that is cut', ONE_UNKNOWN, { kind: 'truncated-json' }),
  ...byGuarantee(
    '503 and then 500',
    {
      least: ['first NOT_ACCEPTED', 'first UNKNOWN', 'first UNKNOWN'],
      most: ['first NOT_ACCEPTED', 'first UNKNOWN'],
    },
    answers(503),
    answers(500),
  ),
  {
    what: '500 and then 503',
    does: [answers(500), answers(503)],
    delivery: 'AT_LEAST_ONCE',
    answer: 'GenerateImageSuccess',
    attempts: ['first UNKNOWN', 'first NOT_ACCEPTED', 'first NOT_ACCEPTED', DRAWN],
  },
  ...goesOn('503 and then 401', ['first NOT_ACCEPTED', 'first REJECTED'], answers(503), answers(401)),
  ...[400, 413, 422].flatMap((status) =>
    stays(`${status}`, 'ProviderRejectedError', ['first REJECTED'], answers(status)),
  ),
  ...stays(
    'a refusal of the content',
    'ContentPolicyError',
    ['first REJECTED'],
    answers(400, { code: 'content_policy_violation' }),
  ),
  ...stays('an answer without a picture', 'InvalidImageError', ['first UNKNOWN'], {
    kind: 'picture',
    bytes: Buffer.from('This is no PNG.').toString('base64') as never,
  }),
];

describe('a first provider that answers', () => {
  it.each(ROWS)('$what, $delivery: $answer', async ({ what, does, delivery, answer, attempts }) => {
    const first = routed.upstream('first');
    first.behave(...does.slice(0, -1));
    first.behaveAlways(does.at(-1));
    const input = { prompt: `[${what}], ${delivery}`, delivery, idempotencyKey: freshKey() };
    const result = await routed.first.generateImage(input);
    expect(result.__typename).toBe(answer);
    const generation = await routedGeneration(routed.first, result.generation?.id);
    expect(attemptsOf(generation)).toEqual(attempts);
    expect(generation.attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1));
    expect(generation.route).toEqual(['first', 'second']);
    const drawn = attempts.at(-1) === DRAWN;
    expect(generation.provider).toBe(drawn ? 'second' : 'first');

    // The journals, and nothing but what is on record.
    const atFirst = first.journal.calls(({ prompt }) => prompt === input.prompt);
    const atSecond = routed.upstream('second').journal.calls(({ prompt }) => prompt === input.prompt);
    expect([...atFirst, ...atSecond].map(({ requestId }) => requestId)).toEqual(
      generation.attempts.map(({ requestId }) => requestId),
    );
    expect(atSecond).toHaveLength(drawn ? 1 : 0);
    const billed = [...atFirst, ...atSecond].filter(({ billedAt }) => billedAt !== undefined);
    if (delivery === 'AT_MOST_ONCE') expect(billed.length).toBeLessThanOrEqual(1);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

const DEADLINE_MS = 400;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { GESSO_DEADLINE_MS: String(DEADLINE_MS), GESSO_CONCURRENCY: '1' },
  });
});
afterAll(() => gateway.close());
afterEach(() => gateway.sandbox.behaveAlways(undefined));

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

const ENDLESS: [what: string, behaviour: Behaviour][] = [
  ['hangs before it accepts', { kind: 'hang', at: 'before-accept' }],
  ['hangs before the headers', { kind: 'hang', at: 'before-headers' }],
  ['hangs in mid-body', { kind: 'hang', at: 'mid-body' }],
  ['sends one byte a second', { kind: 'drip', everyMs: 1_000, bytes: 1 }],
];

describe.each(ENDLESS)('a provider that %s', (what, behaviour) => {
  it.each([
    { delivery: 'AT_MOST_ONCE', answer: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN', held: true },
    { delivery: 'AT_LEAST_ONCE', answer: 'ProviderUnavailableError', code: 'DEADLINE_EXCEEDED', held: false },
  ])('meets the deadline, and its only slot is free: $delivery', async ({ delivery, answer, code, held }) => {
    const input = { prompt: `${what} (${delivery})`, delivery, idempotencyKey: freshKey() };
    gateway.sandbox.behave(behaviour);
    const startedAt = performance.now();
    const result = await gateway.generateImage(input);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(DEADLINE_MS - 2);
    expect(result).toMatchObject({
      __typename: answer,
      retryable: !held,
      generation: { failure: { code }, attempts: [{ outcome: 'UNKNOWN', errorCode: 'ABORTED' }] },
    });
    const [call, ...more] = callsFor(input.prompt);
    expect(more).toEqual([]);
    await vi.waitFor(() => expect(call?.clientLeft).toBe(true));

    expect((await gateway.generateImage({ prompt: 'who comes next' })).__typename).toBe(
      'GenerateImageSuccess',
    );
    const again = await gateway.generateImage(input);
    if (held) expect(again).toEqual(result);
    else expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(callsFor(input.prompt)).toHaveLength(held ? 1 : 2);
  });
});

describe('a deadline with nothing sent', () => {
  it('leaves the key free under AT_MOST_ONCE too', async () => {
    const input = { prompt: 'never accepted', delivery: 'AT_MOST_ONCE', idempotencyKey: freshKey() };
    gateway.sandbox.behave({ kind: 'status', status: 429, headers: { 'retry-after': '1' } });
    const first = await gateway.generateImage(input);
    expect(first).toMatchObject({
      __typename: 'ProviderUnavailableError',
      retryable: true,
      retryAfterSeconds: 1,
    });
    const again = await gateway.generateImage(input);
    expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(callsFor(input.prompt)).toHaveLength(2);
  });
});

describe('time in the queue', () => {
  it('does not count: what waits for a slot longer than the deadline is made all the same', async () => {
    const blockers = ['first', 'second'].map((name) => {
      gateway.sandbox.behave({ kind: 'hang', at: 'before-headers' });
      return gateway.generateImage({ prompt: `${name} in the way`, delivery: 'AT_MOST_ONCE' });
    });
    await gateway.sandbox.journal.waitFor(1, {
      where: ({ prompt }) => prompt?.endsWith('in the way') === true,
    });
    const startedAt = performance.now();
    const patient = await gateway.generateImage({ prompt: 'patient' });
    expect(patient.__typename).toBe('GenerateImageSuccess');
    expect(performance.now() - startedAt).toBeGreaterThan(DEADLINE_MS);
    await Promise.all(blockers);
  });
});

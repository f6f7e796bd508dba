import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());
// A connection that is yet to be broken must not be taken for the next test's call.
afterEach(() => vi.waitFor(() => expect(gateway.sandbox.journal.open).toBe(0)));

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);
const billedFor = (prompt: string) => gateway.sandbox.journal.billed((call) => call.prompt === prompt);

/** Sent, and then no whole answer. */
const LOST: [what: string, behaviour: Behaviour][] = [
  ['reset before it was accepted', { kind: 'reset', at: 'before-accept' }],
  ['reset before the headers', { kind: 'reset', at: 'before-headers' }],
  ['closed before the headers', { kind: 'close', at: 'before-headers' }],
  ['reset in mid-body', { kind: 'reset', at: 'mid-body' }],
  ['closed in mid-body', { kind: 'close', at: 'mid-body' }],
  ['closed in mid-body, chunked', { kind: 'close', at: 'mid-body', framing: 'chunked' }],
  ['JSON that is cut within the picture', { kind: 'truncated-json', within: 'picture' }],
  ['JSON that is cut before its last brackets', { kind: 'truncated-json', within: 'brackets' }],
  ['bad base64', { kind: 'base64', spelling: 'bad' }],
  ['bytes that are not HTTP', { kind: 'not-http' }],
];

describe.each(LOST)('an answer that is lost: %s', (what, behaviour) => {
  it('ends UNKNOWN under AT_MOST_ONCE, with one call', async () => {
    const input = { prompt: `at most once: ${what}`, delivery: 'AT_MOST_ONCE', idempotencyKey: freshKey() };
    gateway.sandbox.behave(behaviour);
    const result = await gateway.generateImage(input);
    expect(result).toMatchObject({
      __typename: 'OutcomeUnknownError',
      retryable: false,
      generation: { status: 'UNKNOWN', attempts: [{ number: 1, outcome: 'UNKNOWN' }] },
    });
    expect(callsFor(input.prompt)).toHaveLength(1);
  });

  it('is made good by a second call under AT_LEAST_ONCE, with both on record', async () => {
    const input = { prompt: `at least once: ${what}`, idempotencyKey: freshKey() };
    gateway.sandbox.behave(behaviour);
    const result = await gateway.generateImage(input);
    expect(result).toMatchObject({
      __typename: 'GenerateImageSuccess',
      generation: { attempts: [{ outcome: 'UNKNOWN' }, { outcome: 'SUCCEEDED', httpStatus: 200 }] },
    });
    const recorded = result.generation?.attempts.map(({ requestId }) => requestId);
    expect(callsFor(input.prompt).map(({ requestId }) => requestId)).toEqual(recorded);
    expect(billedFor(input.prompt).length).toBeLessThanOrEqual(2);
  });
});

/** The connection breaks when the whole JSON document is over: nothing that matters can be missing. */
const WHOLE: [what: string, behaviour: Behaviour][] = [
  ['reset after the full body', { kind: 'reset', at: 'after-body' }],
  [
    'reset after the full body of a known length',
    { kind: 'reset', at: 'after-body', framing: 'content-length' },
  ],
  ['closed after the full body', { kind: 'close', at: 'after-body' }],
];

describe.each(WHOLE)('an answer that came whole: %s', (what, behaviour) => {
  it.each(['AT_MOST_ONCE', 'AT_LEAST_ONCE'])('is delivered under %s, with one call', async (delivery) => {
    const input = { prompt: `${delivery}: ${what}`, delivery, idempotencyKey: freshKey() };
    gateway.sandbox.behave(behaviour);
    const result = await gateway.generateImage(input);
    expect(result.__typename).toBe('GenerateImageSuccess');
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

/** The vendor's advice, which is also the default. */
const DELAYS_MS = [3_000, 8_000, 15_000];
const GUARANTEES = ['AT_MOST_ONCE', 'AT_LEAST_ONCE'] as const;
/** The provider did not take it, says the status; so it is sent again under both guarantees. */
const NOT_ACCEPTED = [408, 409, 425, 429, 503];
/** The provider may have taken it. */
const UNKNOWN = [500, 502, 504];

let clock: TestClock;
let gateway: TestGateway;
beforeAll(async () => {
  clock = createTestClock();
  gateway = await startTestGateway({ clock, environment: { GESSO_RETRY_DELAYS_MS: DELAYS_MS.join() } });
});
afterAll(() => gateway.close());
afterEach(() => gateway.sandbox.behaveAlways(undefined));

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

/** The waits that this piece of work asked for. */
async function waitsOf(work: () => Promise<void>): Promise<readonly number[]> {
  const before = clock.longWaitsMs.length;
  await work();
  return clock.longWaitsMs.slice(before);
}

function expectVendorsWaits(waits: readonly number[]): void {
  expect(waits).toHaveLength(DELAYS_MS.length);
  for (const [index, delayMs] of DELAYS_MS.entries()) {
    expect(waits[index]).toBeGreaterThanOrEqual(delayMs);
    expect(waits[index]).toBeLessThanOrEqual(delayMs * 1.1);
  }
}

describe.each([...NOT_ACCEPTED, ...UNKNOWN])('a provider that always answers %i', (status) => {
  const outcome = NOT_ACCEPTED.includes(status) ? 'NOT_ACCEPTED' : 'UNKNOWN';

  it.each(GUARANTEES)('under %s', async (delivery) => {
    const input = { prompt: `${status} ${delivery}`, delivery, idempotencyKey: freshKey() };
    gateway.sandbox.behaveAlways({ kind: 'status', status, code: 'of_the_test' });
    const isSentAgain = delivery === 'AT_LEAST_ONCE' || outcome === 'NOT_ACCEPTED';
    const calls = isSentAgain ? 4 : 1;
    const waits = await waitsOf(async () => {
      const result = await gateway.generateImage(input);
      expect(result.__typename).toBe(isSentAgain ? 'ProviderUnavailableError' : 'OutcomeUnknownError');
      expect(result.retryable).toBe(isSentAgain);
      expect(result.generation?.attempts).toMatchObject(
        Array.from({ length: calls }, (_, index) => ({
          number: index + 1,
          outcome,
          httpStatus: status,
          errorCode: 'of_the_test',
        })),
      );
    });
    if (isSentAgain) expectVendorsWaits(waits);
    else expect(waits).toEqual([]);
    expect(callsFor(input.prompt)).toHaveLength(calls);
  });
});

describe('Retry-After', () => {
  it('is waited for when it is longer than the wait that was due, and then one call succeeds', async () => {
    const prompt = 'asked to come back later';
    gateway.sandbox.behave({ kind: 'status', status: 429, headers: { 'retry-after': '7' } });
    const waits = await waitsOf(async () => {
      expect((await gateway.generateImage({ prompt })).__typename).toBe('GenerateImageSuccess');
    });
    expect(waits).toEqual([7_000]);
    expect(callsFor(prompt)).toHaveLength(2);
  });

  it('changes nothing when it is shorter', async () => {
    gateway.sandbox.behave({ kind: 'status', status: 429, headers: { 'retry-after': '1' } });
    const waits = await waitsOf(async () => {
      await gateway.generateImage({ prompt: 'asked to come back soon' });
    });
    expect(waits).toHaveLength(1);
    expect(waits[0]).toBeGreaterThanOrEqual(3_000);
  });

  it('is told to the caller when it lies behind the deadline, with nothing waited for', async () => {
    const prompt = 'asked to come back tomorrow';
    gateway.sandbox.behave({ kind: 'status', status: 429, headers: { 'retry-after': '86400' } });
    const waits = await waitsOf(async () => {
      expect(await gateway.generateImage({ prompt })).toMatchObject({
        __typename: 'ProviderUnavailableError',
        retryAfterSeconds: 86_400,
      });
    });
    expect(waits).toEqual([]);
    expect(callsFor(prompt)).toHaveLength(1);
  });
});

describe('Retry-After, in real time', () => {
  let patient: TestGateway;
  beforeAll(async () => {
    patient = await startTestGateway();
  });
  afterAll(() => patient.close());

  it.each(GUARANTEES)('is kept under %s, and one call succeeds', async (delivery) => {
    patient.sandbox.journal.clear();
    patient.sandbox.behave({ kind: 'status', status: 429, headers: { 'retry-after': '1' } });
    const result = await patient.generateImage({ prompt: 'one second', delivery });
    expect(result.__typename).toBe('GenerateImageSuccess');
    const [refused, taken, ...more] = patient.sandbox.journal.calls();
    expect(more).toEqual([]);
    const gapMs = Number(taken?.receivedAt) - Number(refused?.finishedAt);
    // Two dates are rounded to milliseconds, and a timer may be one early.
    expect(gapMs).toBeGreaterThanOrEqual(998);
    expect(patient.sandbox.journal.billed()).toHaveLength(1);
  });
});

describe('a provider that is never reached', () => {
  /** No unprivileged program listens on port 1; and plain HTTP can't shake hands in TLS. */
  const UNREACHABLE = [
    { what: 'refuses the connection', baseUrl: () => 'http://127.0.0.1:1/v1', code: 'ECONNREFUSED' },
    {
      what: 'fails the TLS handshake',
      baseUrl: () => gateway.sandbox.baseUrl.replace('http:', 'https:'),
      code: 'ERR_SSL_WRONG_VERSION_NUMBER',
    },
  ];

  describe.each(UNREACHABLE)('because it $what', ({ baseUrl, code }) => {
    let unlucky: TestGateway;
    beforeAll(async () => {
      const calls = { GESSO_RETRY_DELAYS_MS: '10,20,30', BETTERTOKEN_BASE_URL: baseUrl() };
      unlucky = await startTestGateway({ environment: calls });
    });
    afterAll(() => unlucky.close());

    it.each(GUARANTEES)('did not accept under %s: tried again, and the key is free', async (delivery) => {
      const input = { prompt: 'nobody is there', delivery, idempotencyKey: freshKey() };
      const before = gateway.sandbox.journal.entries.length;
      const first = await unlucky.generateImage(input);
      const attempt = { outcome: 'NOT_ACCEPTED', httpStatus: null, errorCode: code };
      expect(first).toMatchObject({
        __typename: 'ProviderUnavailableError',
        retryable: true,
        generation: { status: 'FAILED', attempts: [attempt, attempt, attempt, attempt] },
      });
      const again = await unlucky.generateImage(input);
      expect(again.generation?.id).not.toBe(first.generation?.id);
      expect(gateway.sandbox.journal.entries).toHaveLength(before);
    });
  });
});

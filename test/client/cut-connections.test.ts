import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidImageError } from '../../src/client/index.ts';
import { type CutCall, generateThrough, inParallel, stepsOf } from '../support/client-cuts.ts';
import type { Cut } from '../support/cutting-proxy.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const FAST = 'fast';
const SLOW = 'slow';
const BROKEN = 'broken';
/** Longer than one request of the SDK stays open here. */
const SLOW_MS = 400;
const WAIT_SECONDS = 0.15;
const AT_ONCE = 6;
/** Many calls, on a machine that has other things to do. */
const TEST_MS = 120_000;

let gateway: TestGateway;
/** What one call sends and gets by its first connection, uncut. */
let whole: CutCall['carried'];
beforeAll(async () => {
  gateway = await startTestGateway();
  gateway.sandbox.behaveAlways(({ prompt }) => {
    if (prompt.startsWith(SLOW)) return { kind: 'normal', delayMs: SLOW_MS };
    // Billed, and of no use: with AT_LEAST_ONCE its key is free, so that asking again with it would buy again.
    if (prompt.startsWith(BROKEN)) return { kind: 'picture', bytes: Buffer.from('no picture') };
    return undefined;
  });
  const uncut = await generateThrough(gateway, [], { prompt: FAST });
  expect(uncut).toMatchObject({ billed: 1, generations: 1, cuts: 0 });
  whole = uncut.carried;
});
afterAll(() => gateway.close());

/** Calls by every plan. Whatever is cut, one generation, one bill. */
async function sweep(prompt: string, plans: readonly Cut[][]): Promise<CutCall[]> {
  const calls = await inParallel(plans, AT_ONCE, (plan) =>
    generateThrough(gateway, plan, { prompt, ...(prompt === SLOW ? { waitSeconds: WAIT_SECONDS } : {}) }),
  );
  const wrong = calls.filter(({ billed, generations, image, error }) => {
    const isAsExpected = prompt === BROKEN ? error instanceof InvalidImageError : image !== undefined;
    return !(isAsExpected && billed === 1 && generations === 1);
  });
  expect(wrong).toEqual([]);
  return calls;
}

const both = (cut: Omit<Cut, 'by'>): Cut[] => [
  { ...cut, by: 'reset' },
  { ...cut, by: 'end' },
];

describe.each([
  ['a fast upstream', FAST],
  ['an upstream that takes longer than a request stays open', SLOW],
  ['an upstream whose answer is billed and useless', BROKEN],
])('generateImage of %s buys once', { timeout: TEST_MS }, (_name, prompt) => {
  it('where the connection is cut before a byte', async () => {
    const calls = await sweep(
      prompt,
      [...both({ at: 'connect' }), ...both({ at: 'request' })].map((cut) => [cut]),
    );
    expect(calls.map(({ cuts }) => cuts)).toEqual([1, 1, 1, 1]);
  });

  it('wherever the request is cut, the last bytes too', async () => {
    const end = whole.firstRequest;
    const places = [1, 2, 4, 15, 16, 17, ...stepsOf(20, whole.request, prompt === FAST ? 307 : 1_301)];
    places.push(end - 2, end - 1, end, end + 1);
    const cuts = places.flatMap((bytes) => both({ at: 'request', bytes }));
    const calls = await sweep(
      prompt,
      cuts.map((cut) => [cut]),
    );
    // Behind the first request there may be no other on its connection.
    const missed = calls.filter(({ plan: [cut], cuts }) => cuts === 0 && (cut?.bytes ?? 0) < end - 10);
    expect(missed).toEqual([]);
  });

  it('wherever the answer is cut', async () => {
    const end = whole.firstAnswer;
    const places = [0, 1, 8, 9, 12, 17, ...stepsOf(20, whole.answer, prompt === FAST ? 131 : 601)];
    places.push(end - 2, end - 1, end, end + 1);
    const cuts = places.flatMap((bytes) => both({ at: 'answer', bytes }));
    await sweep(
      prompt,
      cuts.map((cut) => [cut]),
    );
  });

  it('where it is cut several times in a row, each time elsewhere', async () => {
    const plans = stepsOf(0, whole.answer, prompt === FAST ? 401 : 901).map((bytes, index): Cut[] => [
      { at: 'answer', bytes: 0, by: index % 2 === 0 ? 'reset' : 'end' },
      { at: 'request', bytes: bytes % whole.request },
      { at: 'connect', by: index % 2 === 0 ? 'end' : 'reset' },
      { at: 'answer', bytes },
      { at: 'answer', bytes: 40, by: 'end' },
    ]);
    await sweep(prompt, plans);
  });
});

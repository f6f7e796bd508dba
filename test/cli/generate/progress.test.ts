import { describe, expect, it } from 'vitest';
import { phaseOf } from '../../../src/cli/generate/phase.ts';
import { progressLines } from '../../../src/cli/generate/progress.ts';
import { widthOf } from '../../../src/cli/terminal/text.ts';
import type { Attempt, Generation } from '../../../src/client/index.ts';
import { plainStyle } from '../support/test-terminal.ts';

const attempt = (number: number, details: Partial<Attempt> = {}): Attempt => ({
  number,
  provider: 'bettertoken',
  outcome: 'PENDING',
  requestId: 'request',
  httpStatus: undefined,
  errorCode: undefined,
  startedAt: new Date(),
  finishedAt: undefined,
  ...details,
});
const generation = (details: Partial<Generation>): Generation => ({
  id: 'generation',
  status: 'RUNNING',
  prompt: 'A boat',
  requestedSize: 'AUTO',
  delivery: 'AT_LEAST_ONCE',
  idempotencyKey: 'key',
  provider: 'bettertoken',
  model: undefined,
  client: { id: 'client', name: 'shop' },
  attempts: [],
  failure: undefined,
  createdAt: new Date(),
  startedAt: undefined,
  finishedAt: undefined,
  image: undefined,
  ...details,
});

const waiting = generation({ attempts: [attempt(1, { outcome: 'NOT_ACCEPTED', httpStatus: 503 })] });
const drawing = generation({ attempts: [attempt(1)] });

describe('what an image waits for', () => {
  it.each<[string, Generation | undefined, string]>([
    ['before an answer', undefined, 'asking the gateway'],
    ['in the queue', generation({ status: 'QUEUED' }), 'queued behind others'],
    ['before the first call', generation({}), 'starting'],
    ['during a call', drawing, 'drawing'],
    ['between two calls', waiting, 'waiting to try again after 503'],
    [
      'after a connection that was lost',
      generation({ attempts: [attempt(1, { outcome: 'UNKNOWN', errorCode: 'ECONNRESET' })] }),
      'waiting to try again after ECONNRESET',
    ],
    [
      'after a lost answer that nothing is sent again for',
      generation({ delivery: 'AT_MOST_ONCE', attempts: [attempt(1, { outcome: 'UNKNOWN' })] }),
      'ending',
    ],
    [
      'after a refusal',
      generation({ attempts: [attempt(1, { outcome: 'REJECTED', httpStatus: 400 })] }),
      'ending',
    ],
    ['at the end', generation({ status: 'SUCCEEDED' }), 'done'],
    [
      'at a bad end',
      generation({
        status: 'FAILED',
        failure: {
          code: 'CONTENT_POLICY',
          message: '',
          retryable: false,
          providerCode: undefined,
          retryAfterSeconds: undefined,
        },
      }),
      'content policy',
    ],
    ['after a cancel', generation({ status: 'CANCELED' }), 'canceled'],
  ])('%s', (_when, seen, text) => {
    expect(phaseOf(seen).text).toBe(text);
  });
});

describe('the progress of images', () => {
  const lines = (generations: (Generation | undefined)[], columns = 80, trouble?: string) =>
    progressLines(
      {
        generations,
        files: generations.map((_, index) => `posters/poster-${index + 1}.webp`),
        elapsedMs: 12_900,
        trouble,
      },
      { spinner: '*', columns },
      plainStyle,
    );

  it('is a line for one: seconds, what it waits for, which attempt', () => {
    expect(lines([drawing])).toEqual([
      '*  12 s  drawing                         attempt 1 at bettertoken',
      '         Ctrl-C stops the waiting, not the drawing.',
    ]);
  });

  it('is a line for each of several', () => {
    const done = generation({ status: 'SUCCEEDED', attempts: [attempt(1)] });
    expect(lines([done, drawing, waiting, generation({ status: 'QUEUED' })])).toEqual([
      '*  12 s  1 of 4 done',
      '         poster-1.webp  done',
      '         poster-2.webp  drawing                         attempt 1 at bettertoken',
      '         poster-3.webp  waiting to try again after 503  attempt 1 at bettertoken',
      '         poster-4.webp  queued behind others',
      '         Ctrl-C stops the waiting, not the drawing.',
    ]);
  });

  it('is never wider than the terminal, which would make it jump', () => {
    for (let columns = 24; columns < 100; columns++) {
      const all = [...lines([drawing], columns), ...lines([drawing, waiting], columns)];
      expect(Math.max(...all.map(widthOf)), `at ${columns}`).toBeLessThanOrEqual(columns);
    }
  });

  it('says so while the gateway can not be reached', () => {
    expect(lines([drawing], 60, 'The gateway could not be reached. Trying again.')[0]).toBe(
      '*  12 s  The gateway could not be reached. Trying again.',
    );
  });
});

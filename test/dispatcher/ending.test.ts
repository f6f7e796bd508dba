import { describe, expect, it } from 'vitest';
import { endingOf } from '../../src/dispatcher/ending.ts';
import {
  DeadlineExceededError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../../src/errors.ts';
import type { AttemptOutcome, DeliveryGuarantee, FailureCode } from '../../src/generation.ts';
import { makeAttempt } from '../../src/testing/made-up.ts';

const attempts = (...outcomes: AttemptOutcome[]) =>
  outcomes.map((outcome, index) => makeAttempt({ number: index + 1, outcome }));

const rejected = (rejection: 'REQUEST' | 'CONTENT_POLICY' | 'OPERATOR') =>
  new ProviderFailure('refused', { outcome: 'REJECTED', rejection });
const notAccepted = new ProviderFailure('busy', { outcome: 'NOT_ACCEPTED', httpStatus: 503 });
const lost = new ProviderFailure('reset', { outcome: 'UNKNOWN' });
const late = new DeadlineExceededError('too late');

/** One row of the table under "Life of a generation", under one guarantee. */
interface Row {
  readonly how: string;
  readonly error: unknown;
  readonly outcomes: readonly AttemptOutcome[];
  readonly delivery: DeliveryGuarantee;
  readonly code: FailureCode;
  readonly key: 'held' | 'free';
  /** Whether the day's reservation is given back: nothing may have been billed. */
  readonly refund: boolean;
  readonly status?: 'UNKNOWN';
  readonly retryable: boolean;
}

const both = (row: Omit<Row, 'delivery'>): Row[] =>
  (['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const).map((delivery) => ({ ...row, delivery }));

/** Held under AT_MOST_ONCE, where another call could buy it twice; free under AT_LEAST_ONCE. */
const byGuarantee = (row: Omit<Row, 'delivery' | 'key' | 'retryable'>): Row[] => [
  { ...row, delivery: 'AT_MOST_ONCE', key: 'held', retryable: false },
  { ...row, delivery: 'AT_LEAST_ONCE', key: 'free', retryable: true },
];

const ROWS: readonly Row[] = [
  ...both({
    how: '400, 422',
    error: rejected('REQUEST'),
    outcomes: ['REJECTED'],
    code: 'PROVIDER_REJECTED',
    key: 'held',
    refund: true,
    retryable: false,
  }),
  ...both({
    how: 'refused by policy',
    error: rejected('CONTENT_POLICY'),
    outcomes: ['REJECTED'],
    code: 'CONTENT_POLICY',
    key: 'held',
    refund: true,
    retryable: false,
  }),
  ...both({
    how: '401, 403, 404: the operator’s mistake',
    error: rejected('OPERATOR'),
    outcomes: ['REJECTED'],
    code: 'PROVIDER_REJECTED',
    key: 'free',
    refund: true,
    retryable: false,
  }),
  ...both({
    how: 'attempts used up, none accepted',
    error: notAccepted,
    outcomes: ['NOT_ACCEPTED', 'NOT_ACCEPTED', 'NOT_ACCEPTED', 'NOT_ACCEPTED'],
    code: 'PROVIDER_UNAVAILABLE',
    key: 'free',
    refund: true,
    retryable: true,
  }),
  {
    how: 'attempts used up, some perhaps accepted',
    error: notAccepted,
    outcomes: ['UNKNOWN', 'NOT_ACCEPTED'],
    delivery: 'AT_LEAST_ONCE',
    code: 'PROVIDER_UNAVAILABLE',
    key: 'free',
    refund: false,
    retryable: true,
  },
  ...both({
    how: 'deadline, nothing sent',
    error: late,
    outcomes: [],
    code: 'DEADLINE_EXCEEDED',
    key: 'free',
    refund: true,
    retryable: true,
  }),
  ...both({
    how: 'deadline, nothing accepted',
    error: late,
    outcomes: ['NOT_ACCEPTED'],
    code: 'DEADLINE_EXCEEDED',
    key: 'free',
    refund: true,
    retryable: true,
  }),
  {
    how: 'deadline after the send',
    error: late,
    outcomes: ['UNKNOWN'],
    delivery: 'AT_LEAST_ONCE',
    code: 'DEADLINE_EXCEEDED',
    key: 'free',
    refund: false,
    retryable: true,
  },
  {
    how: 'deadline after the send',
    error: late,
    outcomes: ['UNKNOWN'],
    delivery: 'AT_MOST_ONCE',
    code: 'OUTCOME_UNKNOWN',
    key: 'held',
    refund: false,
    status: 'UNKNOWN',
    retryable: false,
  },
  {
    how: 'sent and no whole answer',
    error: lost,
    outcomes: ['NOT_ACCEPTED', 'UNKNOWN'],
    delivery: 'AT_MOST_ONCE',
    code: 'OUTCOME_UNKNOWN',
    key: 'held',
    refund: false,
    status: 'UNKNOWN',
    retryable: false,
  },
  {
    how: 'sent and no whole answer, to the last attempt',
    error: lost,
    outcomes: ['UNKNOWN', 'UNKNOWN'],
    delivery: 'AT_LEAST_ONCE',
    code: 'PROVIDER_UNAVAILABLE',
    key: 'free',
    refund: false,
    retryable: true,
  },
  ...byGuarantee({
    how: 'answered, but no image that decodes',
    error: new InvalidPictureError('not a PNG'),
    outcomes: ['UNKNOWN'],
    code: 'INVALID_IMAGE',
    refund: false,
  }),
  ...byGuarantee({
    how: 'answered, but no image that decodes, found after the ring',
    error: new InvalidPictureError('does not inflate'),
    outcomes: ['PENDING'],
    code: 'INVALID_IMAGE',
    refund: false,
  }),
  ...byGuarantee({
    how: 'could not be stored',
    error: new StorageError('disk full'),
    outcomes: ['PENDING'],
    code: 'STORAGE_FAILED',
    refund: false,
  }),
  ...both({
    how: 'a bug before anything was sent',
    error: new TypeError('secret detail'),
    outcomes: [],
    code: 'PROVIDER_UNAVAILABLE',
    key: 'free',
    refund: true,
    retryable: true,
  }),
  {
    how: 'a bug after the send',
    error: new TypeError('secret detail'),
    outcomes: ['UNKNOWN'],
    delivery: 'AT_MOST_ONCE',
    code: 'OUTCOME_UNKNOWN',
    key: 'held',
    refund: false,
    status: 'UNKNOWN',
    retryable: false,
  },
];

describe('endingOf', () => {
  it.each(ROWS)('$how, $delivery: $code, its key $key', (row) => {
    const ending = endingOf(row.error, row.delivery, attempts(...row.outcomes));
    expect(ending).toMatchObject({
      status: row.status ?? 'FAILED',
      keyHeld: row.key === 'held',
      refund: row.refund,
      failure: { code: row.code, retryable: row.retryable },
    });
  });

  it("tells the provider's own word, and when to come back in whole seconds", () => {
    const busy = new ProviderFailure('busy', {
      outcome: 'NOT_ACCEPTED',
      httpStatus: 429,
      providerCode: 'rate_limit_exceeded',
      retryAfterMs: 1_200,
    });
    expect(endingOf(busy, 'AT_LEAST_ONCE', attempts('NOT_ACCEPTED')).failure).toEqual({
      code: 'PROVIDER_UNAVAILABLE',
      message: 'busy',
      providerCode: 'rate_limit_exceeded',
      retryable: true,
      retryAfterSeconds: 2,
    });
  });

  it('tells nothing of what was not thrown on purpose', () => {
    const { failure } = endingOf(new TypeError('secret detail'), 'AT_LEAST_ONCE', []);
    expect(failure.message).not.toContain('secret');
  });
});

import { describe, expect, it } from 'vitest';
import { mayFallBack } from '../../src/dispatcher/fallback.ts';
import {
  DeadlineExceededError,
  InvalidPictureError,
  ProviderFailure,
  StorageError,
} from '../../src/errors.ts';
import type { AttemptOutcome } from '../../src/generation.ts';
import { CIRCUIT_OPEN } from '../../src/middleware/breaker.ts';
import { schema } from '../../src/schema/index.ts';
import { makeAttempt } from '../../src/testing/made-up.ts';
import { tableOf } from '../support/readme-pages.ts';

const PAGE = 'docs/routing.md';
const attempt = (outcome: AttemptOutcome) => [makeAttempt({ outcome })];
const rejected = (rejection: 'CONTENT_POLICY' | 'REQUEST' | 'OPERATOR') =>
  new ProviderFailure('', { outcome: 'REJECTED', rejection });

/** What the rows of the table speak of, in their order. */
const ENDS = [
  [new ProviderFailure('', { outcome: 'NOT_ACCEPTED' }), attempt('NOT_ACCEPTED')],
  [new ProviderFailure('', { outcome: 'NOT_ACCEPTED', providerCode: CIRCUIT_OPEN }), []],
  [rejected('OPERATOR'), attempt('REJECTED')],
  [
    new ProviderFailure('', { outcome: 'REJECTED', rejection: 'OPERATOR', httpStatus: 303 }),
    attempt('REJECTED'),
  ],
  [new ProviderFailure('', { outcome: 'UNKNOWN' }), attempt('UNKNOWN')],
  [rejected('REQUEST'), attempt('REJECTED')],
  [rejected('CONTENT_POLICY'), attempt('REJECTED')],
  [new InvalidPictureError(''), attempt('UNKNOWN')],
  [new StorageError(''), attempt('PENDING')],
  [new DeadlineExceededError(''), attempt('UNKNOWN')],
] as const;

describe(PAGE, () => {
  const rows = tableOf(PAGE, 'When it falls back');

  it('has a row for every way in which a provider brings no picture', () => {
    expect(rows).toHaveLength(ENDS.length);
  });

  it.each(rows.map(([what = '', ...guarantees], index) => ({ what, guarantees, index })))(
    'says as it is: $what',
    ({ guarantees, index }) => {
      const [error, attempts] = ENDS[index] ?? [undefined, []];
      for (const [column, delivery] of (['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const).entries()) {
        const said = mayFallBack(error, delivery, attempts) ? 'goes on' : 'ends';
        expect(guarantees[column], delivery).toBe(said);
      }
    },
  );

  it('has every state of a circuit', () => {
    const listed = tableOf(PAGE, 'Circuits').map(([state = '']) => state.replaceAll('`', ''));
    const type = schema.getType('CircuitState');
    const states = type && 'getValues' in type ? type.getValues().map(({ name }) => name) : [];
    expect(listed.toSorted()).toEqual(states.toSorted());
  });
});

import { describe, expect, it } from 'vitest';
import { recover } from '../../src/dispatcher/recovery.ts';
import { FencedError, InvalidPictureError, ProviderFailure } from '../../src/errors.ts';
import type { Attempt, DeliveryGuarantee, StagedPicture } from '../../src/generation.ts';
import type { AttemptEnding } from '../../src/ledger/attempts.ts';
import { makeAttempt, makeDelivered, makeGeneration, makeRun } from '../../src/testing/made-up.ts';

/** Takes over a generation with these attempts on record, oldest first. */
async function takeOver(
  attemptsMade: readonly Attempt[],
  { delivery = 'AT_LEAST_ONCE', staged }: { delivery?: DeliveryGuarantee; staged?: StagedPicture } = {},
) {
  const recorded: [attemptId: string, ending: AttemptEnding][] = [];
  const run = makeRun({ attemptsMade, generation: makeGeneration({ delivery, status: 'RUNNING' }) });
  const recovered = recover(run, {
    log: {
      begin: () => Promise.reject(new Error('Recovery begins no attempt.')),
      fail: async (_run, attempt, ending) => void recorded.push([attempt.id, ending]),
    },
    findStaged: async (attemptId) => (attemptId === staged?.attemptId ? staged : undefined),
  });
  const error: unknown = await recovered.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return { recorded, error, delivered: error === undefined ? await recovered : undefined };
}

const CUT_OFF = { outcome: 'UNKNOWN', httpStatus: undefined, errorCode: 'CUT_OFF', rejection: undefined };

describe('recover', () => {
  it('has nothing to do where no attempt was made', async () => {
    expect(await takeOver([])).toEqual({ recorded: [], error: undefined, delivered: undefined });
  });

  it('delivers a picture that lies here whole, under its own attempt, under both guarantees', async () => {
    const attempt = makeAttempt({ id: 'attempt-2', number: 2 });
    const { staged } = makeDelivered(attempt);
    for (const delivery of ['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const) {
      const { delivered, recorded } = await takeOver([attempt], { delivery, staged });
      expect(delivered).toEqual({ attempt, httpStatus: 200, staged });
      expect(recorded).toEqual([]);
    }
  });

  it('records an attempt that was cut off; AT_LEAST_ONCE goes on', async () => {
    const { recorded, error } = await takeOver([makeAttempt({ id: 'attempt-1' })]);
    expect(recorded).toEqual([['attempt-1', CUT_OFF]]);
    expect(error).toBeUndefined();
  });

  it('records an attempt that was cut off; AT_MOST_ONCE ends on it', async () => {
    const { recorded, error } = await takeOver([makeAttempt({ id: 'attempt-1' })], {
      delivery: 'AT_MOST_ONCE',
    });
    expect(recorded).toEqual([['attempt-1', CUT_OFF]]);
    expect(error).toBeInstanceOf(ProviderFailure);
    expect(error).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'CUT_OFF' });
  });

  it('leaves it to a later owner to record what this one may not', async () => {
    const fenced = new FencedError('another replica');
    const recovered = recover(makeRun({ attemptsMade: [makeAttempt()] }), {
      log: { begin: async () => {}, fail: () => Promise.reject(fenced) },
      findStaged: async () => undefined,
    });
    await expect(recovered).rejects.toBe(fenced);
  });
});

describe('recover, where the last attempt had ended', () => {
  it.each<[string, Partial<Attempt>, DeliveryGuarantee]>([
    ['was not accepted', { outcome: 'NOT_ACCEPTED', httpStatus: 503 }, 'AT_LEAST_ONCE'],
    ['was not accepted', { outcome: 'NOT_ACCEPTED', httpStatus: 503 }, 'AT_MOST_ONCE'],
    ['was lost', { outcome: 'UNKNOWN', errorCode: 'UND_ERR_SOCKET' }, 'AT_LEAST_ONCE'],
  ])('and %s, %o: goes on under %s', async (_name, ending, delivery) => {
    const { recorded, error, delivered } = await takeOver([makeAttempt(ending)], { delivery });
    expect({ recorded, error, delivered }).toEqual({ recorded: [], error: undefined, delivered: undefined });
  });

  it('and was lost: AT_MOST_ONCE ends on it', async () => {
    const lost = makeAttempt({ outcome: 'UNKNOWN', errorCode: 'UND_ERR_SOCKET' });
    const { error, recorded } = await takeOver([lost], { delivery: 'AT_MOST_ONCE' });
    expect(error).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'UND_ERR_SOCKET' });
    expect(recorded).toEqual([]);
  });

  it.each(['REQUEST', 'CONTENT_POLICY', 'OPERATOR'] as const)(
    'and was rejected (%s): is the same rejection again, and nothing is sent',
    async (rejection) => {
      const attempt = makeAttempt({ outcome: 'REJECTED', httpStatus: 400, errorCode: 'bad', rejection });
      const { error } = await takeOver([attempt]);
      expect(error).toBeInstanceOf(ProviderFailure);
      expect(error).toMatchObject({ outcome: 'REJECTED', rejection, httpStatus: 400, providerCode: 'bad' });
    },
  );

  it('and brought no picture: is the same again, under both guarantees', async () => {
    const attempt = makeAttempt({ outcome: 'UNKNOWN', httpStatus: 200, errorCode: 'INVALID_IMAGE' });
    for (const delivery of ['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const) {
      const { error } = await takeOver([attempt], { delivery });
      expect(error).toBeInstanceOf(InvalidPictureError);
      expect(error).toMatchObject({ httpStatus: 200 });
    }
  });

  it.each([
    ['was not accepted', { outcome: 'NOT_ACCEPTED' }],
    ["was the operator's mistake", { outcome: 'REJECTED', rejection: 'OPERATOR' }],
    ['was lost', { outcome: 'UNKNOWN' }],
  ] as const)(
    'and %s by another provider: that one was given up, and this one may be asked',
    async (_how, ending) => {
      const attempt = makeAttempt({ ...ending, provider: 'another' });
      for (const delivery of ['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const) {
        expect((await takeOver([attempt], { delivery })).error).toBeUndefined();
      }
    },
  );

  it('looks at the last one only: those before it were followed already', async () => {
    const rejected = makeAttempt({ number: 1, outcome: 'UNKNOWN', errorCode: 'CUT_OFF' });
    const busy = makeAttempt({ number: 2, outcome: 'NOT_ACCEPTED' });
    expect(await takeOver([rejected, busy])).toMatchObject({ error: undefined, recorded: [] });
  });
});

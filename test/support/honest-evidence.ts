import type { Answer, Call, Evidence, Intent, LedgerAttempt, LedgerGeneration } from './evidence.ts';

export const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));

/** For the judge to be tried on: two clients with one key text, an image that took two calls, a call without an answer, and a key used anew. */
export function honestEvidence(): Changeable<Evidence> {
  const amber = intent('amber', 'shared', 'AT_MOST_ONCE');
  const birch = intent('birch', 'shared', 'AT_LEAST_ONCE');
  const lost = intent('amber', 'lost', 'AT_MOST_ONCE');
  const anew = intent('birch', 'anew', 'AT_LEAST_ONCE');
  const generations = [
    succeeded('1', amber, [attempt('1a', 1, 'NOT_ACCEPTED'), attempt('1b', 2, 'SUCCEEDED')]),
    succeeded('2', birch, [attempt('2a', 1, 'UNKNOWN'), attempt('2b', 2, 'SUCCEEDED')]),
    generation('3', lost, { status: 'UNKNOWN', attempts: [attempt('3a', 1, 'UNKNOWN')] }),
    generation('4', anew, { status: 'FAILED', keyHeld: false, attempts: [attempt('4a', 1, 'NOT_ACCEPTED')] }),
    succeeded('5', anew, [attempt('5a', 1, 'SUCCEEDED')]),
  ];
  const told = [
    success(amber, '1', '1b'),
    success(birch, '2', '2b'),
    { ...answer(lost, '3'), typename: 'OutcomeUnknownError' },
    { ...answer(anew, '4'), typename: 'ProviderUnavailableError', retryable: true },
    success(anew, '5', '5a'),
  ];
  return {
    intents: [amber, birch, lost, anew],
    told,
    again: told.filter(({ retryable }) => !retryable),
    downloads: new Map(['1b', '2b', '5a'].map((id) => [`image of ${id}`, `sha of ${id}`])),
    calls: [
      call('1a', amber, false),
      call('1b', amber),
      call('2a', birch),
      call('2b', birch),
      call('3a', lost),
      call('4a', anew, false),
      call('5a', anew),
    ],
    generations,
    attemptsAtMost: 4,
  };
}

export type Changeable<Shape> = { -readonly [Name in keyof Shape]: Shape[Name] };

export const intent = (client: string, key: string, delivery: Intent['delivery']): Intent => ({
  client,
  key,
  prompt: `${key}, for ${client}`,
  delivery,
});

export const attempt = (requestId: string, number: number, outcome: string): LedgerAttempt => ({
  id: `attempt ${requestId}`,
  number,
  requestId,
  outcome,
  errorCode: null,
  startedAt: at(number * 10),
  finishedAt: outcome === 'PENDING' ? null : at(number * 10 + 5),
});

export const generation = (
  id: string,
  { client, key, prompt, delivery }: Intent,
  rest: Partial<LedgerGeneration>,
): LedgerGeneration => ({
  ...{ id, client, key, prompt, delivery, keyHeld: true, status: 'SUCCEEDED', finishedAt: at(59) },
  ...{ runner: 'replica:0', attempts: [], image: undefined, openJob: false, endingLines: 1 },
  ...rest,
});

export const succeeded = (id: string, of: Intent, attempts: LedgerAttempt[]): LedgerGeneration => {
  const requestId = attempts.at(-1)?.requestId;
  const image = {
    id: `image of ${requestId}`,
    client: of.client,
    attemptId: `attempt ${requestId}`,
    sha256: `sha of ${requestId}`,
  };
  return generation(id, of, { attempts, image });
};

const answer = (of: Intent, generationId: string): Answer => ({
  ...{ intent: of, typename: 'GenerateImageSuccess', generationId, image: undefined, retryable: false },
});

const success = (of: Intent, generationId: string, requestId: string): Answer => ({
  ...answer(of, generationId),
  image: { id: `image of ${requestId}`, sha256: `sha of ${requestId}`, url: 'http://localhost/' },
});

export const call = (requestId: string, { prompt }: Intent, billed = true): Call => ({
  ...{ requestId, prompt, billed, sha256: billed ? `sha of ${requestId}` : undefined },
});

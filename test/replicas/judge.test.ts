import { describe, expect, it } from 'vitest';
import type { Evidence, LedgerAttempt, LedgerGeneration } from '../support/evidence.ts';
import {
  at,
  attempt,
  type Changeable,
  call,
  generation,
  honestEvidence,
  intent,
  succeeded,
} from '../support/honest-evidence.ts';
import { judge, RULE_NAMES, type RuleName } from '../support/judge.ts';

/** Changes the generation with this id. */
function change(evidence: Changeable<Evidence>, id: string, to: (was: LedgerGeneration) => object): void {
  evidence.generations = evidence.generations.map((was) => (was.id === id ? { ...was, ...to(was) } : was));
}

/** Changes an attempt of the generation with this id, by its index. */
function changeAttempt(
  evidence: Changeable<Evidence>,
  id: string,
  index: number,
  to: Partial<LedgerAttempt>,
) {
  change(evidence, id, ({ attempts }) => ({
    attempts: attempts.map((was, at) => (at === index ? { ...was, ...to } : was)),
  }));
}

/** What a gateway with a fault would leave behind, and the rule that it breaks. */
const CRIMES: readonly { rule: RuleName; what: string; commit: (evidence: Changeable<Evidence>) => void }[] =
  [
    {
      rule: 'every call has an attempt on record, sent once',
      what: 'a call that nobody wrote down',
      commit: (evidence) => {
        evidence.calls = [
          ...evidence.calls,
          { ...call('9z', intent('amber', 'lost', 'AT_MOST_ONCE'), false) },
        ];
      },
    },
    {
      rule: 'every call has an attempt on record, sent once',
      what: 'a call without a request id',
      commit: (evidence) => {
        evidence.calls = [...evidence.calls, { ...call('', intent('amber', 'lost', 'AT_MOST_ONCE'), false) }];
      },
    },
    {
      rule: 'every call has an attempt on record, sent once',
      what: 'a call that something below the gateway sent again',
      commit: (evidence) => {
        evidence.calls = [...evidence.calls, ...evidence.calls.slice(0, 1)];
      },
    },
    {
      rule: 'AT_MOST_ONCE is billed once for each key, whatever its generations',
      what: 'a second bill in a second generation',
      commit(evidence) {
        const lost = intent('amber', 'lost', 'AT_MOST_ONCE');
        change(evidence, '3', () => ({ keyHeld: false }));
        evidence.generations = [
          ...evidence.generations,
          succeeded('6', lost, [attempt('6a', 1, 'SUCCEEDED')]),
        ];
        evidence.calls = [...evidence.calls, call('6a', lost)];
      },
    },
    {
      rule: 'a call follows another only where the record allows it',
      what: 'AT_MOST_ONCE sent again after an unknown outcome',
      commit: (evidence) => changeAttempt(evidence, '1', 0, { outcome: 'UNKNOWN' }),
    },
    {
      rule: 'a call follows another only where the record allows it',
      what: 'AT_LEAST_ONCE sent again after a success',
      commit: (evidence) => changeAttempt(evidence, '2', 0, { outcome: 'SUCCEEDED' }),
    },
    {
      rule: 'a call follows another only where the record allows it',
      what: 'two attempts at the same time',
      commit: (evidence) => changeAttempt(evidence, '2', 0, { finishedAt: at(21) }),
    },
    {
      rule: 'a call follows another only where the record allows it',
      what: 'a fifth attempt',
      commit(evidence) {
        const tries = [1, 2, 3, 4, 5].map((number) => attempt(`2${number}`, number, 'UNKNOWN'));
        change(evidence, '2', ({ attempts }) => ({ attempts: [...tries, ...attempts] }));
      },
    },
    {
      rule: 'what was billed is on record as SUCCEEDED or UNKNOWN',
      what: 'a bill for what is on record as not accepted',
      commit(evidence) {
        evidence.calls = evidence.calls.map((was) =>
          was.requestId === '4a' ? { ...was, billed: true } : was,
        );
      },
    },
    {
      rule: 'everything has ended, once',
      what: 'a generation that was forgotten',
      commit: (evidence) => change(evidence, '3', () => ({ status: 'RUNNING', finishedAt: null })),
    },
    {
      rule: 'everything has ended, once',
      what: 'a job that is left',
      commit: (evidence) => change(evidence, '5', () => ({ openJob: true })),
    },
    {
      rule: 'everything has ended, once',
      what: 'an attempt without an outcome',
      commit: (evidence) => changeAttempt(evidence, '3', 0, { outcome: 'PENDING', finishedAt: null }),
    },
    {
      rule: 'everything has ended, once',
      what: 'an end that was written twice',
      commit: (evidence) => change(evidence, '1', () => ({ endingLines: 2 })),
    },
    {
      rule: 'a success is the picture of its own last call',
      what: "the picture of another client's call",
      commit: (evidence) =>
        change(evidence, '1', ({ image }) => ({ image: { ...image, sha256: 'sha of 2b' } })),
    },
    {
      rule: 'a success is the picture of its own last call',
      what: 'a success without an image',
      commit: (evidence) => change(evidence, '5', () => ({ image: undefined })),
    },
    {
      rule: 'a success is the picture of its own last call',
      what: 'an image of what is on record as failed',
      commit: (evidence) => change(evidence, '5', () => ({ status: 'FAILED' })),
    },
    {
      rule: 'nothing crosses intents or clients',
      what: 'one generation for the same key of two clients',
      commit(evidence) {
        evidence.generations = evidence.generations.filter(({ id }) => id !== '2');
      },
    },
    {
      rule: 'nothing crosses intents or clients',
      what: 'a generation that nobody wanted',
      commit: (evidence) => change(evidence, '4', () => ({ client: 'amber' })),
    },
    {
      rule: 'nothing crosses intents or clients',
      what: "an image that is another client's",
      commit: (evidence) => change(evidence, '2', ({ image }) => ({ image: { ...image, client: 'amber' } })),
    },
    {
      rule: 'nothing crosses intents or clients',
      what: "a call with another generation's prompt",
      commit(evidence) {
        evidence.calls = evidence.calls.map((was) =>
          was.requestId === '3a' ? { ...was, prompt: 'shared, for birch' } : was,
        );
      },
    },
    {
      rule: 'nothing crosses intents or clients',
      what: "an answer that is another client's",
      commit(evidence) {
        const [first, ...others] = evidence.told;
        evidence.told = first === undefined ? [] : [{ ...first, generationId: '2' }, ...others];
      },
    },
    {
      rule: 'a key answers for one generation at a time',
      what: 'a held key that was used anew',
      commit: (evidence) => change(evidence, '4', () => ({ keyHeld: true })),
    },
    {
      rule: 'a key answers for one generation at a time',
      what: 'a success that was bought again',
      commit(evidence) {
        const anew = intent('birch', 'anew', 'AT_LEAST_ONCE');
        change(evidence, '5', () => ({ keyHeld: false }));
        evidence.generations = [
          ...evidence.generations,
          succeeded('6', anew, [attempt('6a', 1, 'SUCCEEDED')]),
        ];
      },
    },
    {
      rule: 'a key answers for one generation at a time',
      what: 'a key that was made free by an unknown outcome, AT_MOST_ONCE',
      commit(evidence) {
        const lost = intent('amber', 'lost', 'AT_MOST_ONCE');
        change(evidence, '3', () => ({ keyHeld: false }));
        evidence.generations = [...evidence.generations, generation('6', lost, { status: 'FAILED' })];
      },
    },
    {
      rule: 'every intent is answered, and its answer stays',
      what: 'a client that was never answered',
      commit(evidence) {
        evidence.told = evidence.told.slice(1);
        evidence.again = evidence.again.slice(1);
      },
    },
    {
      rule: 'every intent is answered, and its answer stays',
      what: 'an image that became another one',
      commit(evidence) {
        evidence.again = evidence.again.map((was) =>
          was.image === undefined ? was : { ...was, image: { ...was.image, id: 'another' } },
        );
      },
    },
    {
      rule: 'every intent is answered, and its answer stays',
      what: 'an unknown outcome that became a success',
      commit(evidence) {
        evidence.again = evidence.again.map((was) => ({ ...was, typename: 'GenerateImageSuccess' }));
      },
    },
    {
      rule: 'every intent is answered, and its answer stays',
      what: 'an image that is gone',
      commit(evidence) {
        evidence.downloads = new Map([...evidence.downloads, ['image of 2b', undefined]]);
      },
    },
    {
      rule: 'every intent is answered, and its answer stays',
      what: 'an image whose bytes are another one',
      commit(evidence) {
        evidence.downloads = new Map([...evidence.downloads, ['image of 2b', 'sha of 1b']]);
      },
    },
    {
      rule: 'every intent is answered, and its answer stays',
      what: 'an answer that nobody looked for at the end',
      commit(evidence) {
        evidence.again = [];
      },
    },
  ];

describe('the judge', () => {
  it('finds nothing in honest evidence', () => {
    expect(judge(honestEvidence())).toEqual([]);
  });

  it.each(CRIMES)('finds $what', ({ rule, commit }) => {
    const evidence = honestEvidence();
    commit(evidence);
    expect(judge(evidence).map((violation) => violation.rule)).toContain(rule);
  });

  it('has no rule that is never broken here', () => {
    expect(new Set(CRIMES.map(({ rule }) => rule))).toEqual(new Set(RULE_NAMES));
  });
});

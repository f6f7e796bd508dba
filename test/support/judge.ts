import type { Answer, Call, Evidence, LedgerAttempt, LedgerGeneration } from './evidence.ts';

export interface Violation {
  readonly rule: RuleName;
  readonly says: string;
}

/** The evidence, by what it is looked up by. */
interface Case extends Evidence {
  readonly generationOf: ReadonlyMap<string, LedgerGeneration>;
  readonly callsOf: ReadonlyMap<string, readonly Call[]>;
  readonly attemptOf: ReadonlyMap<
    string,
    { readonly attempt: LedgerAttempt; readonly generation: LedgerGeneration }
  >;
}

/** Says what is wrong, in any number of lines. */
type Rule = (evidence: Case) => Iterable<string>;

/** What must be true of any load, whatever was killed, stopped or cut off meanwhile. */
const RULES = {
  *'every call has an attempt on record, sent once'({ calls, callsOf, attemptOf }: Case) {
    for (const { requestId, prompt } of calls) {
      if (!attemptOf.has(requestId ?? '')) yield `call ${requestId} ("${prompt}") has no attempt`;
    }
    for (const [requestId, same] of callsOf) {
      if (same.length > 1) yield `attempt ${requestId} was sent ${same.length} times`;
    }
  },

  *'AT_MOST_ONCE is billed once for each key, whatever its generations'({ generations, callsOf }: Case) {
    const once = generations.filter(({ delivery }) => delivery === 'AT_MOST_ONCE');
    for (const [slot, same] of Map.groupBy(once, slotOf)) {
      const billed = same.flatMap(({ attempts }) => attempts).filter(isBilledIn(callsOf));
      if (billed.length > 1) yield `${slot} was billed ${billed.length} times`;
    }
  },

  *'a call follows another only where the record allows it'({ generations, attemptsAtMost }: Case) {
    for (const { id, delivery, attempts } of generations) {
      if (attempts.length > attemptsAtMost) yield `generation ${id} has ${attempts.length} attempts`;
      for (const [index, attempt] of attempts.entries()) {
        const before = attempts[index - 1];
        if (attempt.number !== index + 1) yield `generation ${id} lacks attempt ${index + 1}`;
        if (before === undefined) continue;
        const allowed =
          before.outcome === 'NOT_ACCEPTED' || (before.outcome === 'UNKNOWN' && delivery === 'AT_LEAST_ONCE');
        if (!allowed) yield `attempt ${attempt.number} of ${id} (${delivery}) follows one ${before.outcome}`;
        if (before.finishedAt === null || before.finishedAt > attempt.startedAt) {
          yield `attempt ${attempt.number} of ${id} began before the end of the one before was on record`;
        }
      }
    }
  },

  *'what was billed is on record as SUCCEEDED or UNKNOWN'({ generations, callsOf }: Case) {
    for (const { attempts } of generations) {
      for (const attempt of attempts.filter(isBilledIn(callsOf))) {
        if (attempt.outcome === 'SUCCEEDED' || attempt.outcome === 'UNKNOWN') continue;
        yield `attempt ${attempt.requestId} was billed, and is on record as ${attempt.outcome}`;
      }
    }
  },

  *'everything has ended, once'({ generations }: Case) {
    for (const { id, status, finishedAt, openJob, attempts, endingLines } of generations) {
      if (finishedAt === null || status === 'QUEUED' || status === 'RUNNING') yield `${id} is ${status}`;
      if (openJob) yield `the job of ${id} is still to be done`;
      if (attempts.some(({ outcome }) => outcome === 'PENDING')) yield `${id} has a PENDING attempt`;
      if (endingLines !== 1) yield `${id} has ${endingLines} lines about its end in the audit trail`;
    }
  },

  *'a success is the picture of its own last call'({ generations, callsOf }: Case) {
    for (const { id, status, attempts, image } of generations) {
      const succeeded = attempts.filter(({ outcome }) => outcome === 'SUCCEEDED');
      if (status !== 'SUCCEEDED') {
        if (image !== undefined || succeeded.length > 0) yield `${id} is ${status} and has an image`;
        continue;
      }
      const last = attempts.at(-1);
      if (image === undefined || succeeded.length !== 1 || last?.id !== image.attemptId) {
        yield `${id} is SUCCEEDED, but not by its last attempt and with an image`;
      } else if (callsOf.get(last.requestId)?.[0]?.sha256 !== image.sha256) {
        yield `image ${image.id} is not the picture that was made for attempt ${last.requestId}`;
      }
    }
  },

  *'nothing crosses intents or clients'({ intents, generations, calls, told, again, ...found }: Case) {
    const wanted = new Set(intents.map(nameOf));
    const made = new Set(generations.map(nameOf));
    for (const name of wanted) if (!made.has(name)) yield `nothing was made for ${name}`;
    for (const generation of generations) {
      if (!wanted.has(nameOf(generation))) yield `nobody wanted ${generation.id}: ${nameOf(generation)}`;
      const owner = generation.image?.client ?? generation.client;
      if (owner !== generation.client) yield `the image of ${generation.id} belongs to ${owner}`;
    }
    for (const { requestId, prompt } of calls) {
      const generation = found.attemptOf.get(requestId ?? '')?.generation;
      if (generation !== undefined && generation.prompt !== prompt) {
        yield `call ${requestId} asked for "${prompt}", its generation ${generation.id} is of another prompt`;
      }
    }
    for (const { intent, generationId, image } of [...told, ...again]) {
      const generation = found.generationOf.get(generationId ?? '');
      if (generation === undefined || nameOf(generation) !== nameOf(intent)) {
        yield `${nameOf(intent)} was answered with generation ${generationId}, which is not its own`;
      } else if (image !== undefined && image.id !== generation.image?.id) {
        yield `${nameOf(intent)} was answered with image ${image.id}, which is not the generation's`;
      }
    }
  },

  *'a key answers for one generation at a time'({ generations }: Case) {
    for (const [slot, same] of Map.groupBy(generations, slotOf)) {
      const early = same.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, -1);
      for (const { id, status, keyHeld, delivery, attempts } of early) {
        if (keyHeld) yield `${slot} was used anew while ${id} held it`;
        const isKnown =
          delivery === 'AT_LEAST_ONCE' || !attempts.some(({ outcome }) => outcome === 'UNKNOWN');
        if (status === 'SUCCEEDED' || !isKnown) yield `${slot} was made free by ${id}, which may be billed`;
      }
    }
  },

  *'every intent is answered, and its answer stays'({ intents, told, again, downloads, generationOf }: Case) {
    const answers = Map.groupBy([...told, ...again], ({ intent }) => intent);
    const askedAgain = new Set(again.map(({ intent }) => intent));
    for (const intent of intents) {
      const given = answers.get(intent) ?? [];
      if (given.length === 0) yield `${nameOf(intent)} was never answered`;
      const [first, ...later] = given.filter(({ retryable }) => !retryable);
      for (const answer of later) {
        if (!sameAnswer(first, answer)) yield `${nameOf(intent)} was answered in two ways`;
      }
      if (first === undefined) continue;
      if (!askedAgain.has(intent)) {
        yield `${nameOf(intent)} has an answer for good, and was not asked again`;
      }
      if (first.image === undefined) continue;
      const { id, sha256 } = first.image;
      if (generationOf.get(first.generationId ?? '')?.image?.sha256 !== sha256)
        yield `image ${id} has changed`;
      if (downloads.get(id) !== sha256) yield `image ${id} does not download as it was told`;
    }
  },
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as RuleName[];

/** Every breach of every rule; none where all is well. */
export function judge(evidence: Evidence): Violation[] {
  const { generations, calls } = evidence;
  const found: Case = {
    ...evidence,
    generationOf: new Map(generations.map((generation) => [generation.id, generation])),
    callsOf: Map.groupBy(calls, ({ requestId }) => requestId ?? ''),
    attemptOf: new Map(
      generations.flatMap((generation) =>
        generation.attempts.map((attempt) => [attempt.requestId, { attempt, generation }] as const),
      ),
    ),
  };
  return RULE_NAMES.flatMap((rule) => Array.from(RULES[rule](found), (says) => ({ rule, says })));
}

export const isBilledIn =
  (callsOf: ReadonlyMap<string, readonly Call[]>) =>
  ({ requestId }: LedgerAttempt): boolean =>
    callsOf.get(requestId)?.some(({ billed }) => billed) === true;

const slotOf = ({ client, key }: { client: string; key: string | null }): string =>
  `key ${key} of client ${client}`;

const nameOf = ({ client, key, prompt }: { client: string; key: string | null; prompt: string }): string =>
  `"${prompt}" (${slotOf({ client, key })})`;

const sameAnswer = (one: Answer | undefined, other: Answer): boolean =>
  one?.typename === other.typename &&
  one.generationId === other.generationId &&
  one.image?.id === other.image?.id &&
  one.image?.sha256 === other.image?.sha256;

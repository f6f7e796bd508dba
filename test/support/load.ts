import { setTimeout as delay } from 'node:timers/promises';
import { randomFrom } from '../../src/sandbox/random.ts';
import { askForImage, type Reply } from './ask-for-image.ts';
import type { Answer, Intent } from './evidence.ts';

/** Clients that want images, and ask again with the same key until they have an answer for good. */
export interface Load {
  readonly intents: readonly Intent[];
  /** Every final answer, as it was got. */
  readonly told: readonly Answer[];
  /** How the requests went that got no answer, by reason (`HTTP 502`), and how often. */
  readonly troubles: ReadonlyMap<string, number>;
  /** Requests that were turned away in a way that asking again can't be the answer to; none, where all is well. */
  readonly refusals: readonly string[];
  /** How many wait for their answer; an intent that two ask for at once counts twice. */
  readonly open: number;
  /** Begins to want images, one every `everyMs`, as long as no more than `openAtMost` wait for theirs. */
  start(options: { everyMs: number; openAtMost: number }): void;
  /** Wants so many images more for each client, all at once. */
  wantSome(count: number): void;
  /** Wants one image more, and resolves with the final answer. */
  want(intent: Intent, waitSeconds?: number): Promise<Answer>;
  /** One request with the intent's key; the client hangs up after `waitSeconds` and its patience, in milliseconds. */
  ask(intent: Intent, waitSeconds: number, patienceMs?: number): Promise<Reply>;
  /** Wants no more; resolves when every intent has its answer. @throws {Error} when that takes too long. */
  settle(timeoutMs: number): Promise<void>;
}

export interface LoadOptions {
  /** Where to ask; called for each request. */
  readonly url: () => string;
  /** Each with its own API key. */
  readonly clients: readonly { readonly name: string; readonly apiKey: string }[];
  /** The words of the prompts, which no other load of the test has. */
  readonly about: string;
  /** Decides about delivery and waits, for each intent by itself: the same for the same seed, whatever happens. */
  readonly seed: string;
  /** How long requests ask the gateway to wait, in seconds; each takes one of them. @default [0, 1, 2, 5, 30] */
  readonly waitsSeconds?: readonly [number, ...number[]];
  /** How long a client listens beyond the wait that it asked for, in milliseconds. @default 4000 */
  readonly patienceMs?: number;
}

const RESTS_MS = { pending: 150, unanswered: 250 };
/** How often an intent is begun anew after an answer that leaves its key free. */
const NEW_TRIES = 2;

export function createLoad(options: LoadOptions): Load {
  const {
    url,
    clients,
    about,
    seed,
    waitsSeconds = [0, 1, 2, 5, 30],
    patienceMs: ownPatienceMs = 4_000,
  } = options;
  const intents = new Set<Intent>();
  const told: Answer[] = [];
  const troubles = new Map<string, number>();
  const refusals: string[] = [];
  const pursuits = new Set<Promise<unknown>>();
  const stopping = new AbortController();
  let abandoned = false;
  let numbers = 0;
  let running: Promise<void> | undefined;

  function ask(intent: Intent, waitSeconds: number, patienceMs = ownPatienceMs): Promise<Reply> {
    const apiKey = clients.find(({ name }) => name === intent.client)?.apiKey ?? '';
    return askForImage(intent, { url: url(), apiKey, waitSeconds, patienceMs });
  }

  /** Asks until there is a final answer, as a client does that wants its image and no second bill. */
  async function pursue(intent: Intent, firstWaitSeconds?: number): Promise<Answer> {
    const random = randomFrom(intent.prompt, `${seed}, waits`);
    let newTries = 0;
    let waitSeconds = firstWaitSeconds ?? random.pick(waitsSeconds);
    for (;;) {
      if (abandoned) throw new Error(`Nobody waits for "${intent.prompt}" any more.`);
      const reply = await ask(intent, waitSeconds);
      if (reply.kind === 'final') {
        told.push(reply.answer);
        newTries += 1;
        if (!reply.answer.retryable || newTries > NEW_TRIES) return reply.answer;
      } else if (reply.kind !== 'pending') {
        troubles.set(reply.why, (troubles.get(reply.why) ?? 0) + 1);
        if (reply.kind === 'refused') refusals.push(`${intent.prompt}: ${reply.why}`);
      }
      waitSeconds = random.pick(waitsSeconds);
      await delay(reply.kind === 'pending' ? RESTS_MS.pending : RESTS_MS.unanswered);
    }
  }

  function want(intent: Intent, waitSeconds?: number): Promise<Answer> {
    intents.add(intent);
    const pursuit = pursue(intent, waitSeconds);
    pursuits.add(pursuit);
    const leave = () => void pursuits.delete(pursuit);
    pursuit.then(leave, leave);
    return pursuit;
  }

  /** Every client uses the same texts as keys, for images of its own. Now and then one is asked for twice at once. */
  function wantSome(count: number): void {
    for (const last = numbers + count; numbers < last; ) {
      numbers += 1;
      for (const { name } of clients) {
        const key = `${about} ${numbers}`;
        const prompt = `${key}, for ${name}`;
        const random = randomFrom(prompt, `${seed}, intents`);
        const delivery = random.chance(0.5) ? 'AT_MOST_ONCE' : 'AT_LEAST_ONCE';
        const intent: Intent = { client: name, key, prompt, delivery };
        for (let asker = random.chance(0.2) ? 2 : 1; asker > 0; asker -= 1) {
          // It fails only when it is given up, of which `settle` tells.
          want(intent).catch(() => undefined);
        }
      }
    }
  }

  async function keepWanting(everyMs: number, openAtMost: number): Promise<void> {
    while (!stopping.signal.aborted) {
      if (pursuits.size < openAtMost) wantSome(1);
      await delay(everyMs * clients.length);
    }
  }

  return {
    get intents() {
      return [...intents];
    },
    told,
    troubles,
    refusals,
    get open() {
      return pursuits.size;
    },
    start({ everyMs, openAtMost }) {
      running = keepWanting(everyMs, openAtMost);
    },
    wantSome,
    want,
    ask,
    async settle(timeoutMs) {
      stopping.abort();
      await running;
      const tooLong = new AbortController();
      const limit = delay(timeoutMs, undefined, { signal: tooLong.signal }).then(() => {
        abandoned = true;
        throw new Error(`${pursuits.size} requests have no final answer after ${timeoutMs} ms.`);
      });
      await Promise.race([Promise.all(pursuits), limit]);
      tooLong.abort();
      await limit.catch(() => undefined);
    },
  };
}

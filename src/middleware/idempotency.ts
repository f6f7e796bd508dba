import type { Keyv } from 'keyv';
import { IdempotencyConflictError } from '../errors.ts';
import type { Generation, Image } from '../generation.ts';
import type { GenerationAnswer, GenerationRequest, RequestMiddleware } from './middleware.ts';

export interface IdempotencyOptions {
  /** Any keyv store. It only remembers: losing it, or its failing, costs a query and never an image. */
  readonly cache: Keyv;
  /** How long an answer is remembered, in milliseconds; never longer than the ledger keeps what it tells of. */
  readonly ttlMs: number;
  /** How long the ledger keeps images and records after a generation's end, in milliseconds. @default for ever */
  readonly keepMs?: { readonly images?: number | undefined; readonly records?: number | undefined };
  /** @default the system's time */
  readonly now?: () => Date;
  /** Answers with a longer prompt are left to the ledger, so that the cache's size is bounded; in characters. @default 4096 */
  readonly maxPromptLength?: number;
}

/** JSON-safe, whatever the store does to it. */
interface Remembered {
  readonly generation: Generation;
  readonly image: Image | undefined;
}

/** The clocks of replicas differ: one that is behind must not remember what another has removed already. */
const CLOCK_MARGIN_MS = 60_000;

/**
 * Answers a key that was used before from memory, with no SQL. Only ended generations whose key stays held are
 * remembered: their answer can't change until they are removed by age. Everything else is the ledger's claim to decide.
 */
export function idempotency({
  cache,
  ttlMs,
  keepMs: { images = Infinity, records = Infinity } = {},
  now = () => new Date(),
  maxPromptLength = 4096,
}: IdempotencyOptions): RequestMiddleware {
  /** How long the answer holds from now on, in milliseconds; zero or less where it may not. */
  function validMs({ generation: { finishedAt }, image }: Remembered): number {
    const kept = image === undefined ? records : Math.min(images, records);
    return (finishedAt?.getTime() ?? 0) + kept - CLOCK_MARGIN_MS - now().getTime();
  }

  return async function idempotency(request, next) {
    if (request.idempotencyKey === undefined) return next(request);
    const slot = slotOf(request);
    // Who wants to be told of an end that is remembered has still to be noted, which is the ledger's.
    const remembered = request.webhookUrl === undefined ? revive(await soon(cache.get(slot))) : undefined;
    // Asked here too: a store may count time by another clock, or remember from before the setting changed.
    if (remembered !== undefined && validMs(remembered) > 0) {
      const { generation, image } = remembered;
      if (generation.fingerprint !== request.fingerprint) throw new IdempotencyConflictError(generation);
      return { generation, image, replayed: true };
    }
    const answer = await next(request);
    const { generation, image } = answer;
    const validForMs = Math.min(ttlMs, validMs({ generation, image }));
    if (isFinal(answer) && generation.prompt.length <= maxPromptLength && validForMs > 0) {
      await soon(cache.set(slot, { generation, image } satisfies Remembered, validForMs));
    }
    return answer;
  };
}

/** A store that takes longer than this costs more than it saves, and is not waited for, in milliseconds. */
const PATIENCE_MS = 250;

/** What the store answers in time; undefined from one that hangs or fails, of which keyv tells its listeners. */
async function soon<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  const answered = answer.catch(() => undefined);
  return Promise.race([answered, tooLate]).finally(() => clearTimeout(timer));
}

/** The client comes first and the parts are delimited, so that no key of one client reads as another's. */
const slotOf = ({ principal, idempotencyKey, ordinal }: GenerationRequest): string =>
  JSON.stringify([principal.clientId, ordinal, idempotencyKey]);

const isFinal = ({ generation }: GenerationAnswer): boolean =>
  generation.keyHeld && generation.status !== 'QUEUED' && generation.status !== 'RUNNING';

/** Stores that serialise give dates back as text. */
function revive(value: unknown): Remembered | undefined {
  if (typeof value !== 'object' || value === null || !('generation' in value)) return undefined;
  const { generation, image } = value as Remembered;
  const date = (when: Date | undefined) => (when === undefined ? undefined : new Date(when));
  return {
    generation: {
      ...generation,
      createdAt: new Date(generation.createdAt),
      startedAt: date(generation.startedAt),
      finishedAt: date(generation.finishedAt),
      deadlineAt: date(generation.deadlineAt),
    },
    image:
      image === undefined
        ? undefined
        : { ...image, createdAt: new Date(image.createdAt), removedAt: date(image.removedAt) },
  };
}

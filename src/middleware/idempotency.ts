import type { Keyv } from 'keyv';
import { IdempotencyConflictError } from '../errors.ts';
import type { Generation, Image } from '../generation.ts';
import type { GenerationAnswer, GenerationRequest, RequestMiddleware } from './middleware.ts';

export interface IdempotencyOptions {
  /** Any keyv store. It only remembers: losing it, or its failing, costs a query and never an image. */
  readonly cache: Keyv;
  /** How long an answer is remembered, in milliseconds; never longer than the ledger keeps the generation. */
  readonly ttlMs: number;
  /** Answers with a longer prompt are left to the ledger, so that the cache's size is bounded; in characters. @default 4096 */
  readonly maxPromptLength?: number;
}

/** JSON-safe, whatever the store does to it. */
interface Remembered {
  readonly generation: Generation;
  readonly image: Image | undefined;
}

/**
 * Answers a key that was used before from memory, with no SQL. Only ended generations whose key stays held are
 * remembered, for good: their answer can't change. Everything else is the ledger's claim to decide.
 */
export function idempotency({ cache, ttlMs, maxPromptLength = 4096 }: IdempotencyOptions): RequestMiddleware {
  return async function idempotency(request, next) {
    if (request.idempotencyKey === undefined) return next(request);
    const slot = slotOf(request);
    const remembered = revive(await soon(cache.get(slot)));
    if (remembered !== undefined) {
      const { generation, image } = remembered;
      if (generation.fingerprint !== request.fingerprint) throw new IdempotencyConflictError(generation);
      return { generation, image, replayed: true };
    }
    const answer = await next(request);
    if (isFinal(answer) && answer.generation.prompt.length <= maxPromptLength) {
      const { generation, image } = answer;
      await soon(cache.set(slot, { generation, image } satisfies Remembered, ttlMs));
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
    image: image === undefined ? undefined : { ...image, createdAt: new Date(image.createdAt) },
  };
}

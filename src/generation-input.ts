import { type InputIssue, InvalidInputError } from './errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { DeliveryGuarantee, ImageSize, Principal } from './generation.ts';
import type { GenerationRequest } from './middleware/middleware.ts';
import { checkWebhookUrl } from './webhooks/webhook-url.ts';

export const MAX_PROMPT_LENGTH = 32_000;
export const MAX_IMAGES_AT_ONCE = 10;

/** The input of `generateImage` and `generateImages`, as the schema hands it on. */
export interface GenerationInput {
  readonly prompt: string;
  readonly size: ImageSize;
  readonly delivery: DeliveryGuarantee;
  readonly provider: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly waitSeconds: number | undefined;
  /** Not of `generateImages`. */
  readonly webhookUrl: string | undefined;
  /** Only of `generateImages`. */
  readonly count?: number;
}

export interface Caller {
  readonly principal: Principal;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** The longest wait, in milliseconds. */
  readonly maxWaitMs: number;
  /** Hosts that a `webhookUrl` may name; undefined where there is none. */
  readonly webhookHosts: readonly string[] | undefined;
}

/**
 * One request for `generateImage`, or `count` of them with ordinals from 1 for `generateImages`.
 * @throws {InvalidInputError} with every rule that the input breaks.
 */
export function toGenerationRequests(input: GenerationInput, caller: Caller): GenerationRequest[] {
  const issues = checkGenerationInput(input);
  const webhook =
    input.webhookUrl === undefined ? undefined : checkWebhookUrl(input.webhookUrl, caller.webhookHosts);
  if (webhook !== undefined && 'problem' in webhook) {
    issues.push({ path: ['input', 'webhookUrl'], message: webhook.problem });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
  const { prompt, size, delivery, provider, idempotencyKey, waitSeconds, count } = input;
  const { principal, requestId, signal, maxWaitMs } = caller;
  const ordinals = count === undefined ? [0] : Array.from({ length: count }, (_, index) => index + 1);
  return ordinals.map((ordinal) => ({
    principal,
    requestId,
    prompt,
    size,
    delivery,
    provider,
    idempotencyKey,
    ordinal,
    waitMs: waitSeconds === undefined ? maxWaitMs : Math.min(waitSeconds * 1_000, maxWaitMs),
    signal,
    fingerprint: fingerprintOf({ prompt, size, delivery, provider }),
    webhookUrl: webhook !== undefined && 'url' in webhook ? webhook.url : undefined,
    quota: undefined,
  }));
}

/** Rules that the types can't state. */
function checkGenerationInput(input: GenerationInput): InputIssue[] {
  const issues: InputIssue[] = [];
  const refuse = (field: string, message: string): void =>
    void issues.push({ path: ['input', field], message });

  // Counted as people count: an emoji outside the basic plane is one character. The cheap test comes first.
  const tooLong =
    input.prompt.length > MAX_PROMPT_LENGTH &&
    (input.prompt.length > 2 * MAX_PROMPT_LENGTH || [...input.prompt].length > MAX_PROMPT_LENGTH);
  if (tooLong) refuse('prompt', `must have at most ${MAX_PROMPT_LENGTH} characters.`);
  else if (input.prompt.trim() === '') refuse('prompt', 'must not be empty.');
  else if (!input.prompt.isWellFormed())
    refuse('prompt', 'must be well-formed Unicode: it has a lone surrogate.');
  else if (input.prompt.includes('\0')) refuse('prompt', 'must not contain the NUL character.');

  const { idempotencyKey, waitSeconds, count } = input;
  if (idempotencyKey !== undefined && !/^[\x20-\x7e]{1,255}$/.test(idempotencyKey)) {
    refuse('idempotencyKey', 'must have 1 to 255 printable ASCII characters.');
  }
  if (waitSeconds !== undefined && waitSeconds < 0) refuse('waitSeconds', 'must not be negative.');
  if (count !== undefined && !(count >= 1 && count <= MAX_IMAGES_AT_ONCE)) {
    refuse('count', `must be 1 to ${MAX_IMAGES_AT_ONCE}.`);
  }
  return issues;
}

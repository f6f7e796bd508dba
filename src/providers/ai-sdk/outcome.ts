import {
  APICallError,
  InvalidResponseDataError,
  NoContentGeneratedError,
  TypeValidationError,
} from '@ai-sdk/provider';
import { type FailedOutcome, InvalidPictureError, ProviderFailure } from '../../errors.ts';
import type { RejectionReason } from '../../generation.ts';
import { BodyError } from '../openai-wire/body-error.ts';
import { parseRetryAfter } from '../openai-wire/retry-after.ts';
import { refusesByPolicy } from './content-policy.ts';
import { codeOf, evidenceOf, holdsPrompt, isFailureOf, transportCodeOf } from './evidence.ts';
import { AbortedError, AnswerTooLargeError, type Exchange, lastStatusOf, RefusedError } from './exchange.ts';
import type { Redact } from './redact.ts';
import { isMissingKey, isOfSetup, wordsOf } from './setup.ts';

export interface OutcomeOptions {
  readonly provider: string;
  /** Undefined where the vendor's words can't be shown, because its key is not known. */
  readonly redact: Redact | undefined;
  /** Whether the model was made with our `fetch` at hand. */
  readonly usesOurFetch: boolean;
  /** The clock for dates in `Retry-After`, in milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/**
 * What became of a generation whose model threw `error`. An error of the AI SDK says little of it: what the transport saw
 * decides, where the calls that it saw were certainly this generation's, and else the vendor's answer to the very call that
 * carried the prompt. The exchange must have been aborted before: what was not sent by then never will be.
 */
export function outcomeOf(
  error: unknown,
  exchange: Exchange,
  { provider, redact, usesOurFetch, now }: OutcomeOptions,
): ProviderFailure | InvalidPictureError {
  const { outcome, rejection } = judge(error, exchange, usesOurFetch);
  const status = statusOf(error) ?? lastStatusOf(exchange);
  const code =
    error instanceof AbortedError
      ? 'ABORTED'
      : (codeOf(evidenceOf(error)) ?? transportCodeOf(error, exchange));
  const said = wordsOf(error, exchange, { redact, usesOurFetch });
  const message = `${provider}: ${PREFIXES[outcome]}${status === undefined ? '' : `, status ${status}`}${said}`;
  const text = redact?.text(message, MAX_MESSAGE) ?? message.slice(0, MAX_MESSAGE);
  if (outcome === 'NO_PICTURE') return new InvalidPictureError(text, { httpStatus: status });
  return new ProviderFailure(text, {
    outcome,
    rejection,
    httpStatus: status,
    providerCode: code === undefined ? undefined : (redact?.text(code, 100) ?? KNOWN_CODE.exec(code)?.[0]),
    retryAfterMs: APICallError.isInstance(error)
      ? parseRetryAfter(error.responseHeaders?.['retry-after'], { ...(now && { now }) })
      : undefined,
    // The reason of an abort is the gateway's own; what else was thrown holds headers and bodies.
    cause: error instanceof AbortedError ? error.cause : redact?.error(error),
  });
}

type Verdict = { outcome: FailedOutcome | 'NO_PICTURE'; rejection?: RejectionReason | undefined };

const MAX_MESSAGE = 500;

const PREFIXES: Readonly<Record<Verdict['outcome'], string>> = {
  NOT_ACCEPTED: 'not accepted',
  REJECTED: 'rejected',
  UNKNOWN: 'no picture came, and whether it was made is not known',
  NO_PICTURE: 'answered, but with no picture',
};
/** Of the transport: what a vendor says is not shown where its key is not known. */
const KNOWN_CODE = /^(?:E[A-Z]+|UND_ERR_\w+|ABORTED)$/;

function judge(error: unknown, { calls, prompt }: Exchange, usesOurFetch: boolean): Verdict {
  const sent = calls.filter((call) => call.sent);
  const isCertain = calls.every(({ isOwn }) => isOwn);
  if (isCertain && sent.length === 0) {
    if (usesOurFetch ? isOfSetup(error) : isMissingKey(error)) return BY_OPERATOR;
    const last = calls.at(-1);
    // It failed by that call, or gave up while that call waited. After any other error it may have gone another way.
    if (last !== undefined && (last.error === undefined || isFailureOf(last, error))) {
      return { outcome: 'NOT_ACCEPTED' };
    }
  }
  const [only, ...others] = sent;
  // Polls and downloads carry no prompt; what else does is the paid call.
  const isSubmission = APICallError.isInstance(error) && holdsPrompt(error.requestBodyValues, prompt);
  const isItsAnswer = only?.status === statusOf(error) || (only !== undefined && isFailureOf(only, error));
  // After the first good answer a job may be under way, whatever a later call is told.
  const isOfOnlyCall =
    only === undefined
      ? calls.length === 0 && isSubmission
      : others.length === 0 && isItsAnswer && (isCertain || (calls.length === 1 && isSubmission));
  const status = only === undefined ? statusOf(error) : only.status;
  if (isOfOnlyCall && isBad(status)) return ofStatus(status, error);
  return ofAccepted(error, { isWhole: isOfOnlyCall });
}

const BY_OPERATOR: Verdict = { outcome: 'REJECTED', rejection: 'OPERATOR' };

/** The vendor did not take the request: it may be sent again under either guarantee. */
const NOT_ACCEPTED_STATUSES = new Set([408, 409, 425, 429, 503]);
/** The request itself is wrong. */
const REQUEST_STATUSES = new Set([400, 413, 422]);

/** The vendor answered the only call with this status: the rules of "Retry" in docs/architecture.md. */
function ofStatus(status: number, error: unknown): Verdict {
  if (NOT_ACCEPTED_STATUSES.has(status)) return { outcome: 'NOT_ACCEPTED' };
  // A redirect is not followed; but 303 says that it was carried out, and shows where.
  if (status < 400 || status >= 500) return { outcome: 'UNKNOWN' };
  if (refusesByPolicy(evidenceOf(error))) return { outcome: 'REJECTED', rejection: 'CONTENT_POLICY' };
  return { outcome: 'REJECTED', rejection: REQUEST_STATUSES.has(status) ? 'REQUEST' : 'OPERATOR' };
}

/** The vendor may have begun. `isWhole`: its answer to the only call is all that it has to say. */
function ofAccepted(error: unknown, { isWhole }: { isWhole: boolean }): Verdict {
  const evidence = evidenceOf(error);
  const isFinal = InvalidResponseDataError.isInstance(error) || hasStatus(error, 200);
  if (error instanceof RefusedError || (isFinal && refusesByPolicy(evidence))) {
    return { outcome: 'REJECTED', rejection: 'CONTENT_POLICY' };
  }
  if (error instanceof AnswerTooLargeError || NoContentGeneratedError.isInstance(error)) {
    return { outcome: 'NO_PICTURE' };
  }
  if (error instanceof BodyError) return { outcome: 'UNKNOWN' };
  if (InvalidResponseDataError.isInstance(error)) {
    return { outcome: isFailedJob(error.data) ? 'UNKNOWN' : 'NO_PICTURE' };
  }
  // A whole document, but not as the vendor's package knows them.
  const isStrange = APICallError.isInstance(error) && TypeValidationError.isInstance(error.cause);
  return { outcome: isWhole && isStrange && hasStatus(error, 200) ? 'NO_PICTURE' : 'UNKNOWN' };
}

const statusOf = (error: unknown): number | undefined =>
  APICallError.isInstance(error) ? error.statusCode : undefined;

const hasStatus = (error: unknown, status: number): boolean => statusOf(error) === status;

const isBad = (status: number | undefined): status is number =>
  status !== undefined && (status < 200 || status > 299);

/** A job that the vendor gave up (`status` of Replicate, `state` of Luma): what it cost is not said. */
const isFailedJob = (data: unknown): boolean => {
  if (typeof data !== 'object' || data === null) return false;
  const state = 'status' in data ? data.status : 'state' in data ? data.state : undefined;
  return state === 'failed' || state === 'canceled';
};

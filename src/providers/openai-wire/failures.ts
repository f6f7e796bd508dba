import { type FailedOutcome, InvalidPictureError, ProviderFailure } from '../../errors.ts';
import type { RejectionReason } from '../../generation.ts';
import { BodyError } from './body-error.ts';
import { CallError, type HttpReply } from './call.ts';
import { type ErrorDetails, readErrorBody } from './error-body.ts';
import type { Redactor } from './redact.ts';
import { parseRetryAfter } from './retry-after.ts';

const MAX_MESSAGE = 500;
const MAX_CODE = 100;

/** The vendor did not take the request: it may be sent again under either guarantee. */
const NOT_ACCEPTED_STATUSES = new Set([408, 409, 425, 429, 503]);
/** The request itself is wrong. */
const REQUEST_STATUSES = new Set([400, 413, 422]);
/** What OpenAI and those who speak like it answer to a prompt or a picture that breaks their rules. */
const CONTENT_POLICY_CODES = new Set(['content_policy_violation', 'moderation_blocked', 'content_filter']);

/** What became of a call, and of a rejected one whose mistake it was. */
export interface Verdict {
  readonly outcome: FailedOutcome;
  readonly rejection?: RejectionReason;
}

/** What a vendor's errors say beyond their status; undefined where its status says all. */
export type Judge = (status: number, details: ErrorDetails) => Verdict | undefined;

/** What became of a call that was answered with a status outside 2xx. */
const classify = (status: number, details: ErrorDetails, judge: Judge | undefined): Verdict => {
  const { code, type } = details;
  const isPolicy = CONTENT_POLICY_CODES.has(code ?? '') || CONTENT_POLICY_CODES.has(type ?? '');
  if (status >= 400 && status < 500 && isPolicy) return { outcome: 'REJECTED', rejection: 'CONTENT_POLICY' };
  const verdict = judge?.(status, details);
  if (verdict !== undefined) return verdict;
  if (NOT_ACCEPTED_STATUSES.has(status)) return { outcome: 'NOT_ACCEPTED' };
  if (status >= 500) return { outcome: 'UNKNOWN' };
  return { outcome: 'REJECTED', rejection: REQUEST_STATUSES.has(status) ? 'REQUEST' : 'OPERATOR' };
};

/** Puts everything that can go wrong on the wire into the gateway's words, without the secret. */
export const createFailures = ({
  provider,
  redactor,
  judge,
  replyIdHeader,
  now = Date.now,
}: {
  provider: string;
  redactor: Redactor;
  judge?: Judge | undefined;
  replyIdHeader?: string | undefined;
  /** The clock for dates in `Retry-After`, in milliseconds since 1970. @default Date.now */
  now?: () => number;
}) => {
  const message = (text: string) => redactor.text(`${provider}: ${text}`, MAX_MESSAGE);
  /** How the vendor's support finds the call again, ahead of a text that may be cut. */
  const replyIdOf = ({ headers }: HttpReply): string => {
    const id = replyIdHeader && headers[replyIdHeader];
    return typeof id === 'string' && id !== '' ? ` (${replyIdHeader} ${redactor.text(id, MAX_CODE)})` : '';
  };

  return {
    /** The call was refused: reads the error's body, and frees the socket. */
    async ofReply(reply: HttpReply): Promise<ProviderFailure> {
      const details = await readErrorBody(reply);
      const said = [details.message, details.code && `(${details.code})`].filter(Boolean).join(' ');
      return new ProviderFailure(message(`status ${reply.status}${replyIdOf(reply)}${said && `: ${said}`}`), {
        ...classify(reply.status, details, judge),
        httpStatus: reply.status,
        providerCode: details.code === undefined ? undefined : redactor.text(details.code, MAX_CODE),
        retryAfterMs: parseRetryAfter(reply.headers['retry-after'], { now }),
      });
    },

    /** The call, or the reading of a good answer, threw. An error of our own making is returned as it is. */
    ofError(error: unknown, httpStatus?: number): unknown {
      if (error instanceof CallError) {
        const prefix = error.sent ? 'sent, but the answer was lost' : 'not sent';
        return new ProviderFailure(message(`${prefix}: ${error.message} (${error.code})`), {
          outcome: error.sent ? 'UNKNOWN' : 'NOT_ACCEPTED',
          httpStatus,
          providerCode: redactor.text(error.code, MAX_CODE),
          // The reason of an abort is the gateway's own; what undici threw may quote the peer.
          cause: error.code === 'ABORTED' ? error.cause : redactor.error(error.cause),
        });
      }
      if (!(error instanceof BodyError)) return error;
      if (error.code === 'NO_PICTURE' || error.code === 'BODY_TOO_LARGE') {
        return new InvalidPictureError(message(error.message), { httpStatus });
      }
      return new ProviderFailure(message(error.message), {
        outcome: 'UNKNOWN',
        httpStatus,
        providerCode: error.code,
      });
    },

    /** We asked for no compression, and do not unpack what we did not ask for. */
    ofContentEncoding: (httpStatus: number): ProviderFailure =>
      new ProviderFailure(message('the answer is compressed, which was not asked for'), {
        outcome: 'UNKNOWN',
        httpStatus,
        providerCode: 'CONTENT_ENCODING',
      }),
  };
};
export type Failures = ReturnType<typeof createFailures>;

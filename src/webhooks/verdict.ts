import type { SendOutcome } from './sender.ts';

/** What follows a try, and what the audit trail says of it. */
export interface Verdict {
  readonly action: 'WEBHOOK_DELIVERED' | 'WEBHOOK_FAILED';
  /** With the receiver's host, and nothing else of its URL: paths and queries may hold tokens. */
  readonly message: string;
  /** When to try again, in seconds from now; undefined where it is over. */
  readonly retryAfterSeconds: number | undefined;
}

const FIRST_DELAY_SECONDS = 5;
const FACTOR = 3;
const LONGEST_DELAY_SECONDS = 5 * 3600;
/** With the delays between them, over about a day and a half. */
export const MAX_TRIES = 15;

/** "Gone": the receiver wants to hear no more of it. */
const GONE = 410;

export interface VerdictOptions {
  /** From 0 up to 1, so that receivers that came back are not met by everything at once. */
  readonly random: () => number;
  /** The wait after the first try, the second, …, in seconds. @default 5, 15, 45, … up to 5 hours */
  readonly delaySeconds?: ((tryNumber: number) => number) | undefined;
}

/** Three times as long each time. */
const backoff = (tryNumber: number): number =>
  Math.min(FIRST_DELAY_SECONDS * FACTOR ** (tryNumber - 1), LONGEST_DELAY_SECONDS);

/** Judges the try with this number, from 1. */
export function judge(
  outcome: SendOutcome,
  { host, tryNumber }: { host: string; tryNumber: number },
  { random, delaySeconds = backoff }: VerdictOptions,
): Verdict {
  const what = outcome.kind === 'answered' ? `answered HTTP ${outcome.httpStatus}` : outcome.reason;
  const httpStatus = outcome.kind === 'answered' ? outcome.httpStatus : undefined;
  if (httpStatus !== undefined && httpStatus >= 200 && httpStatus < 300) {
    return {
      action: 'WEBHOOK_DELIVERED',
      message: `${host} ${what}, try ${tryNumber}.`,
      retryAfterSeconds: undefined,
    };
  }
  if (httpStatus === GONE || tryNumber >= MAX_TRIES) return givenUp(host, what, tryNumber);
  const own = delaySeconds(tryNumber) * (1 + 0.2 * random());
  const asked = outcome.kind === 'answered' ? (outcome.retryAfterSeconds ?? 0) : 0;
  const retryAfterSeconds = Math.max(own, Math.min(asked, LONGEST_DELAY_SECONDS));
  return {
    action: 'WEBHOOK_FAILED',
    message: `${host} ${what}, try ${tryNumber}; tried again in about ${inWords(retryAfterSeconds)}.`,
    retryAfterSeconds,
  };
}

/** There will be no other try. */
export const givenUp = (host: string, why: string, tries: number): Verdict => ({
  action: 'WEBHOOK_FAILED',
  message: `${host} ${why}; given up after ${tries} ${tries === 1 ? 'try' : 'tries'}.`,
  retryAfterSeconds: undefined,
});

/** The try was begun, and the replica that made it was not heard of again. */
export const cutOff = (host: string, tryNumber: number): Verdict => ({
  action: 'WEBHOOK_FAILED',
  message: `${host} may have got it: the replica stopped in the middle of try ${tryNumber}.`,
  retryAfterSeconds: 0,
});

function inWords(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

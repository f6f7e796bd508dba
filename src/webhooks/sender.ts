import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { guardedLookup, type Lookup, lookUp, NoAllowedAddressError } from './guarded-lookup.ts';
import { isPublicAddress } from './public-address.ts';
import { signedHeaders, type WebhookMessage } from './signing.ts';

/** How one try went. */
export type SendOutcome =
  | {
      readonly kind: 'answered';
      readonly httpStatus: number;
      /** From `Retry-After`, where that gave seconds. */
      readonly retryAfterSeconds: number | undefined;
    }
  /** No answer; why not, for people, without anything of the URL but its host. */
  | { readonly kind: 'unanswered'; readonly reason: string };

export type SendWebhook = (
  url: string,
  message: WebhookMessage,
  /** Gives up at once. */
  signal?: AbortSignal,
) => Promise<SendOutcome>;

export interface WebhookSenderOptions {
  readonly now: () => Date;
  /** @default the system's */
  readonly lookup?: Lookup | undefined;
  /** Which addresses may be connected to. @default those of the public internet */
  readonly isAllowedAddress?: ((address: string) => boolean) | undefined;
  /** Certificate authorities to trust, PEM. @default Node's */
  readonly ca?: string | undefined;
  /** For all of one try: looking up, connecting, sending and the answer, in milliseconds. @default 15000 */
  readonly timeoutMs?: number | undefined;
}

/** Of an answer, in bytes; it is read for the sake of a clean end, and thrown away. */
const MAX_ANSWER_BYTES = 64 * 1024;

class ForbiddenAddressError extends Error {}

/**
 * Sends signed messages to receivers. A URL that was let pass still can't reach into a private network: the one
 * address that is connected to is the one that was judged, each try has a connection of its own, and no redirect is
 * followed. Never throws for what a receiver does.
 */
export function createWebhookSender(options: WebhookSenderOptions): SendWebhook {
  const { now, lookup = lookUp, isAllowedAddress = isPublicAddress, ca, timeoutMs = 15_000 } = options;
  const guarded = guardedLookup(lookup, isAllowedAddress);

  function post(url: URL, message: WebhookMessage, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = {
      ...signedHeaders(message, now()),
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(message.body),
      'user-agent': 'Gesso',
    };
    const sending = httpsRequest(url, {
      method: 'POST',
      headers,
      signal,
      lookup: guarded,
      // A connection that is kept is one whose name nobody has looked up again.
      agent: false,
      // Said here, it can't be turned off by the environment.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    });
    sending.on('socket', (socket: Socket) => {
      // Before anything is sent, the handshake included; by way of the lookup it can't happen.
      socket.once('connect', () => {
        if (!isAllowedAddress(socket.remoteAddress ?? '')) sending.destroy(new ForbiddenAddressError());
      });
    });
    sending.on('response', resolve).on('error', reject);
    sending.on('close', () => reject(new Error('The connection was closed.')));
    sending.end(message.body);
    return promise;
  }

  return async function sendWebhook(url, message, signal) {
    const target = new URL(url);
    // For an address nothing would be looked up, and nothing judged.
    if (target.protocol !== 'https:' || isIP(target.hostname.replace(/^\[|\]$/g, '')) !== 0) {
      return { kind: 'unanswered', reason: 'is no host that a webhook may go to' };
    }
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      const answer = await post(target, message, either);
      await discard(answer);
      const { statusCode = 0, headers } = answer;
      return {
        kind: 'answered',
        httpStatus: statusCode,
        retryAfterSeconds: secondsOf(headers['retry-after']),
      };
    } catch (error) {
      if (signal?.aborted === true) return { kind: 'unanswered', reason: 'was cut off: the gateway stopped' };
      if (timeout.aborted) {
        return { kind: 'unanswered', reason: `did not answer within ${timeoutMs / 1000} s` };
      }
      return { kind: 'unanswered', reason: reasonOf(error) };
    }
  };
}

/** Reads to the end, or to where it is cut; the status has come, and that is what counts. */
async function discard(answer: IncomingMessage): Promise<void> {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) answer.destroy();
  });
  await new Promise<void>((resolve) => {
    // What breaks a body that nobody needs is no failure; its end is told by `close`.
    answer.on('error', () => undefined).on('close', resolve);
  });
}

const secondsOf = (retryAfter: string | undefined): number | undefined =>
  retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined;

function reasonOf(error: unknown): string {
  if (error instanceof NoAllowedAddressError || error instanceof ForbiddenAddressError) {
    return 'leads to no public address';
  }
  const { code } = error as NodeJS.ErrnoException;
  // A code says what happened; a message may quote what it happened to.
  return typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code)
    ? `could not be reached (${code})`
    : 'could not be reached';
}

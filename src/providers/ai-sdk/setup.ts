import {
  AISDKError,
  InvalidArgumentError,
  LoadAPIKeyError,
  LoadSettingError,
  NoSuchModelError,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider';
import type { Exchange } from './exchange.ts';
import type { Redact } from './redact.ts';

/** A vendor's package needs the key for its first call: it says that it has none before it sends anything. */
const MISSING_KEY_ERRORS = [LoadAPIKeyError, LoadSettingError, NoSuchModelError];
/** The package of fal has an error of its own for it. */
const MISSING_KEY_OF_FAL = /^fal\.ai API key is missing\. Pass it using the 'apiKey' parameter/;
/** Thrown before the first call too, as a rule. */
const SETUP_ERRORS = [...MISSING_KEY_ERRORS, InvalidArgumentError, UnsupportedFunctionalityError];
/** Of the platform, for a key that no header can carry. It quotes the key. */
const BAD_HEADER = /invalid header value|to a ByteString/;

/** Whether a key is missing, and so nothing was sent. */
export const isMissingKey = (error: unknown): boolean =>
  MISSING_KEY_ERRORS.some((kind) => kind.isInstance(error)) ||
  (isPlain(error) && MISSING_KEY_OF_FAL.test(error.message));

/** Whether a key or a setting is missing or wrong. That nothing was sent must be known from elsewhere. */
export const isOfSetup = (error: unknown): boolean =>
  isMissingKey(error) ||
  SETUP_ERRORS.some((kind) => kind.isInstance(error)) ||
  (error instanceof TypeError && BAD_HEADER.test(error.message));

/** What may be shown of an error: its words where no key can be in them, and else the name of its kind. */
export function wordsOf(
  error: unknown,
  { calls }: Exchange,
  { redact, usesOurFetch }: { redact: Redact | undefined; usesOurFetch: boolean },
): string {
  if (!(error instanceof Error)) return '';
  const isOfPackage =
    SETUP_ERRORS.some((kind) => kind.isInstance(error)) ||
    // Nobody has answered yet who could repeat a key.
    (isPlain(error) && usesOurFetch && calls.length === 0);
  if (redact !== undefined || isOfPackage) return `: ${error.message}`;
  return /^\w{1,60}$/.test(error.name) ? ` (${error.name})` : '';
}

const isPlain = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'Error' && !AISDKError.isInstance(error);

import { ProviderFailure } from '../errors.ts';
import type { Attempt, DeliveryGuarantee } from '../generation.ts';

/**
 * Whether a generation that its provider gave no picture for may go on to the next one: the table under "When it falls
 * back" in docs/routing.md. `attempts` are all on record, those at other providers too.
 *
 * What was refused for its content or its form is not: nobody is asked around for somebody who draws it all the same. An
 * answer that could not be read or kept is not either, because it is likely billed.
 */
export function mayFallBack(
  error: unknown,
  delivery: DeliveryGuarantee,
  attempts: readonly Attempt[],
): error is ProviderFailure {
  if (!(error instanceof ProviderFailure)) return false;
  // It may still come, and nothing is known of it.
  if (attempts.some(({ outcome }) => outcome === 'PENDING')) return false;
  if (delivery === 'AT_MOST_ONCE' && [error, ...attempts].some(maybeCarriedOut)) return false;
  // The operator's mistake is with this provider alone.
  return error.outcome !== 'REJECTED' || error.rejection === 'OPERATOR';
}

/**
 * A redirect refuses the gateway, which does not follow it; but it may be the answer to a call that was carried out, as 303
 * is (RFC 9110, 15.4.4).
 */
function maybeCarriedOut({
  outcome,
  httpStatus = 0,
}: Pick<ProviderFailure | Attempt, 'outcome' | 'httpStatus'>) {
  return outcome === 'UNKNOWN' || (httpStatus >= 300 && httpStatus < 400);
}

/** For the audit trail: why a provider was given up. Its own words may say anything, and are left out. */
export function reasonOf({ outcome, httpStatus, providerCode }: ProviderFailure): string {
  const status = httpStatus === undefined ? undefined : `HTTP ${httpStatus}`;
  return `${[outcome, status, providerCode].filter((detail) => detail !== undefined).join(', ')}.`;
}

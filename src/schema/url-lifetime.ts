import { InvalidInputError } from '../errors.ts';

/** A link may live for a week; whoever needs it longer asks again. */
export const MAX_EXPIRY_SECONDS = 7 * 24 * 3600;

/**
 * How long a signed URL is to be good for, in seconds; undefined means as configured.
 * @throws {InvalidInputError} where it can't be for so long.
 */
export function checkedExpiry(expiresInSeconds: number | null | undefined): number | undefined {
  if (expiresInSeconds === null || expiresInSeconds === undefined) return undefined;
  if (expiresInSeconds >= 1 && expiresInSeconds <= MAX_EXPIRY_SECONDS) return expiresInSeconds;
  throw new InvalidInputError([
    { path: ['expiresInSeconds'], message: `takes 1 to ${MAX_EXPIRY_SECONDS} seconds.` },
  ]);
}

/**
 * Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110, 10.2.3). Returns milliseconds from now, 0 for
 * a date that has passed, undefined for anything else.
 */
export const parseRetryAfter = (
  header: string | string[] | undefined,
  { now = Date.now }: { now?: () => number } = {},
): number | undefined => {
  const value = (Array.isArray(header) ? header[0] : header)?.trim();
  if (value === undefined || value === '') return undefined;
  // Fractions are outside the standard, but vendors send them.
  if (/^\d+(\.\d+)?$/.test(value)) {
    const delayMs = Math.ceil(Number(value) * 1000);
    return Number.isSafeInteger(delayMs) ? delayMs : undefined;
  }
  // Date.parse alone would take "-5" for a year.
  const date = /^[A-Za-z]{3,9},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now());
};

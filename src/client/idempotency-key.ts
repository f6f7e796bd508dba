/**
 * A key that nobody has used before. Browsers have `randomUUID` only where the page came by HTTPS or from this machine;
 * random bytes they have everywhere.
 */
export function newIdempotencyKey(): string {
  const { crypto } = globalThis;
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

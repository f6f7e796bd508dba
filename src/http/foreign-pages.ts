import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** How long a browser may remember that it may call, in seconds. */
const PREFLIGHT_SECONDS = 600;

/**
 * Lets web pages of these origins call, and read what they are answered: by whomever, a plug-in that answers in the place of
 * the gateway included.
 *
 * @param origins `*` for any
 */
export function foreignPages(origins: readonly string[]): MiddlewareHandler {
  const allow = cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['Authorization', 'Content-Type', 'X-Request-Id'],
    exposeHeaders: ['X-Request-Id', 'Date', 'Retry-After'],
    maxAge: PREFLIGHT_SECONDS,
  });
  return async function foreignPages(c, next) {
    if (c.req.method === 'OPTIONS') return allow(c, next);
    await next();
    // Not before: an answer that takes the place of another one takes none of its headers over.
    await allow(c, async () => undefined);
    return undefined;
  };
}

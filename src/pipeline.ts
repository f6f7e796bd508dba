import { ConfigError } from './errors.ts';
import type { Middleware } from './middleware/middleware.ts';

/**
 * The two rings, drawn. First-listed is outermost.
 *
 *   request ring   audit ▸ authorize ▸ idempotency ▸ quota ▸ dispatcher
 *   attempt ring   breaker ▸ deadline ▸ retry ▸ record ▸ provider
 *
 * Audit is outermost so that what the others refuse is on record. Quota lies inside idempotency, because a
 * replay is free. The breaker is outermost, because all attempts of a generation are one to it, and what it refuses is no
 * attempt. The deadline lies outside retry, because it is one for all attempts; record lies inside it,
 * because every call is an attempt of its own.
 */
export const REQUEST_RING = ['audit', 'authorize', 'idempotency', 'quota'] as const;
export const ATTEMPT_RING = ['breaker', 'deadline', 'retry', 'record'] as const;

/** Folds middleware around the innermost handler. */
export function compose<Request, Response>(
  ring: readonly Middleware<Request, Response>[],
  innermost: (request: Request) => Promise<Response>,
): (request: Request) => Promise<Response> {
  return ring.reduceRight<(request: Request) => Promise<Response>>(
    (next, middleware) => (request) => middleware(request, next),
    innermost,
  );
}

/** Where a plug-in's middleware stands: beside a named one, or innermost where it doesn't say. */
export interface RingPlace<M> {
  readonly middleware: M;
  readonly before?: string;
  readonly after?: string;
}

/**
 * Adds placed middleware to a ring, each in the order given.
 * @throws {ConfigError} when the place named is not in the ring, or a middleware has no name or a taken one.
 */
export function arrange<M extends { readonly name: string }>(
  ring: readonly M[],
  places: readonly RingPlace<M>[],
): M[] {
  const arranged = [...ring];
  for (const { middleware, before, after } of places) {
    const neighbour = before ?? after;
    const index = arranged.findIndex(({ name }) => name === neighbour);
    if (neighbour !== undefined && index === -1) {
      throw new ConfigError(`No middleware is called "${neighbour}"; the ring is ${names(arranged)}.`);
    }
    if (middleware.name === '' || arranged.some(({ name }) => name === middleware.name)) {
      throw new ConfigError(`A middleware needs a name of its own, not "${middleware.name}".`);
    }
    const position = neighbour === undefined ? arranged.length : before === undefined ? index + 1 : index;
    arranged.splice(position, 0, middleware);
  }
  return arranged;
}

const names = (ring: readonly { readonly name: string }[]): string =>
  ring.map(({ name }) => name).join(' ▸ ');

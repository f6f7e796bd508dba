import type { SelectQueryBuilder } from 'kysely';
import type { Tables } from './tables.ts';

/**
 * A slice of a list ordered by id, newest first (ids are UUIDv7). `after` and `before` are ids, exclusive.
 * With `inverted` the slice is taken from the old end, and comes oldest first.
 */
export interface Page {
  readonly limit: number;
  readonly after: string | undefined;
  readonly before: string | undefined;
  readonly inverted: boolean;
}

/** Adds the page's bounds, order and limit to a query of one table. */
export function paged<Table extends 'generations' | 'auditEvents' | 'apiKeys', Output>(
  query: SelectQueryBuilder<Tables, Table, Output>,
  page: Page,
): SelectQueryBuilder<Tables, Table, Output> {
  const { limit, after, before, inverted } = page;
  // Kysely can't resolve columns of a generic table; every one of these has a uuid `id`.
  let bounded = query as unknown as SelectQueryBuilder<Tables, 'generations', Output>;
  if (after !== undefined) bounded = bounded.where('id', '<', after);
  if (before !== undefined) bounded = bounded.where('id', '>', before);
  const ordered = bounded.orderBy('id', inverted ? 'asc' : 'desc').limit(limit);
  return ordered as unknown as SelectQueryBuilder<Tables, Table, Output>;
}

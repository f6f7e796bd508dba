import { type Expression, type SqlBool, sql } from 'kysely';

/** Whose records a read may return. */
export interface Viewer {
  readonly clientId: string;
  /** Scope `generations:read`: everyone's. */
  readonly seesAll: boolean;
}

/**
 * The one filter of who sees what, put into the SQL of every read, so that lists, `node`, `nodes` and relations
 * can't differ.
 */
export const visibleTo = (viewer: Viewer) => (): Expression<SqlBool> =>
  viewer.seesAll ? sql<SqlBool>`true` : sql<SqlBool>`client_id = ${viewer.clientId}`;

import type { Generation, GenerationStatus } from '../generation.ts';
import type { Database } from './database.ts';
import { type Page, paged } from './page.ts';
import { storable, toGeneration } from './rows.ts';
import { type Viewer, visibleTo } from './viewer.ts';

export interface GenerationFilter {
  readonly statuses?: readonly GenerationStatus[] | undefined;
  readonly clientId?: string | undefined;
  readonly provider?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdUntil?: Date | undefined;
}

/** The generations with these ids that the viewer may see, in any order. */
export async function generationsById(
  db: Database,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Generation[]> {
  const rows = await db
    .selectFrom('generations')
    .selectAll()
    .where('id', 'in', ids)
    .where(visibleTo(viewer))
    .execute();
  return rows.map(toGeneration);
}

/** A page of what the viewer may see, newest first. `createdUntil` is exclusive. */
export async function listGenerations(
  db: Database,
  viewer: Viewer,
  filter: GenerationFilter,
  page: Page,
): Promise<Generation[]> {
  const { statuses, clientId, provider, idempotencyKey, createdFrom, createdUntil } = filter;
  let query = db.selectFrom('generations').selectAll().where(visibleTo(viewer));
  if (statuses !== undefined) {
    // An empty list asks for nothing, and gets it.
    query = query.where((eb) => eb('status', '=', eb.fn.any(eb.val([...statuses]))));
  }
  if (clientId !== undefined) query = query.where('clientId', '=', clientId);
  if (provider !== undefined) query = query.where('provider', '=', storable(provider));
  if (idempotencyKey !== undefined) query = query.where('idempotencyKey', '=', storable(idempotencyKey));
  if (createdFrom !== undefined) query = query.where('createdAt', '>=', createdFrom);
  if (createdUntil !== undefined) query = query.where('createdAt', '<', createdUntil);
  const rows = await paged(query, page).execute();
  return rows.map(toGeneration);
}

/** Those of the given ids that have ended, whoever they belong to; for waiters that may have missed the word. */
export async function endedAmong(db: Database, ids: readonly string[]): Promise<Generation[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('generations')
    .selectAll()
    .where('id', 'in', ids)
    .where('status', 'not in', ['QUEUED', 'RUNNING'])
    .execute();
  return rows.map(toGeneration);
}

/** How many generations wait or run at providers other than these. */
export async function openElsewhere(
  db: Database,
  providers: readonly string[],
): Promise<{ provider: string | null; count: number }[]> {
  return db
    .selectFrom('generations')
    .select(['provider', (eb) => eb.cast<number>(eb.fn.countAll(), 'integer').as('count')])
    .where('status', 'in', ['QUEUED', 'RUNNING'])
    .where('provider', 'not in', providers)
    .groupBy('provider')
    .execute();
}

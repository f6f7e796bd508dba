import type { Selectable } from 'kysely';
import type { AuditAction, AuditEvent } from './audit.ts';
import type { Database } from './database.ts';
import { type Page, paged } from './page.ts';
import type { AuditEventsTable } from './tables.ts';

export interface AuditFilter {
  readonly actions?: readonly AuditAction[] | undefined;
  readonly clientId?: string | undefined;
  readonly generationId?: string | undefined;
  readonly occurredFrom?: Date | undefined;
  readonly occurredUntil?: Date | undefined;
}

export const toAuditEvent = (row: Omit<Selectable<AuditEventsTable>, 'tx'>): AuditEvent => ({
  id: row.id,
  occurredAt: row.occurredAt,
  action: row.action as AuditAction,
  clientId: row.clientId ?? undefined,
  requestId: row.requestId,
  generationId: row.generationId ?? undefined,
  attemptId: row.attemptId ?? undefined,
  message: row.message ?? undefined,
});

/** A page of the trail, newest first. `occurredUntil` is exclusive. Whether the caller may read it is asked before. */
export async function listAuditEvents(db: Database, filter: AuditFilter, page: Page): Promise<AuditEvent[]> {
  const { actions, clientId, generationId, occurredFrom, occurredUntil } = filter;
  let query = db.selectFrom('auditEvents').selectAll();
  if (actions !== undefined) query = query.where((eb) => eb('action', '=', eb.fn.any(eb.val([...actions]))));
  if (clientId !== undefined) query = query.where('clientId', '=', clientId);
  if (generationId !== undefined) query = query.where('generationId', '=', generationId);
  if (occurredFrom !== undefined) query = query.where('occurredAt', '>=', occurredFrom);
  if (occurredUntil !== undefined) query = query.where('occurredAt', '<', occurredUntil);
  const rows = await paged(query, page).execute();
  return rows.map(toAuditEvent);
}

/** The events with these ids, in any order. */
export async function auditEventsById(db: Database, ids: readonly string[]): Promise<AuditEvent[]> {
  const rows = await db.selectFrom('auditEvents').selectAll().where('id', 'in', ids).execute();
  return rows.map(toAuditEvent);
}

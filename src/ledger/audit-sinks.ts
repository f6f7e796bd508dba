import { sql } from 'kysely';
import type { AuditEvent } from './audit.ts';
import { toAuditEvent } from './audit-events.ts';
import type { Database } from './database.ts';
import { LOCKS } from './locks.ts';
import type { AuditEventsTable } from './tables.ts';

/** A place in the trail: by transaction, and within one by the id of the line. */
export interface AuditPosition {
  /** A number of PostgreSQL's `xid8`, as text: it may be larger than a JavaScript number can be. */
  readonly tx: string;
  readonly eventId: string;
}

/** How far a sink has got. */
export interface AuditProgress {
  /** Every line up to here was handed over. */
  readonly position: AuditPosition;
  /**
   * Set where the database was restored from a dump since, into a server whose transactions had lower numbers: what
   * comes after `position` is read to its end first, and then goes on from here.
   */
  readonly afterRestore: AuditPosition | undefined;
}

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** Notes a sink that is new; one that is known stays where it is. */
export async function registerAuditSink(
  db: Database,
  { name, from, createdAt }: { name: string; from: 'now' | 'beginning'; createdAt: Date },
): Promise<void> {
  await sql`
    insert into audit_sinks (name, tx, event_id, created_at)
    select ${name}, case ${from}::text when 'now' then pg_snapshot_xmin(pg_current_snapshot()) else '0'::xid8 end,
      ${BEFORE_ALL}::uuid, ${createdAt}::timestamptz
    on conflict (name) do nothing`.execute(db);
}

/** Whether this connection is now the only one that reads for the sink, until it lets go or is lost. */
export async function holdAuditSink(connection: Database, name: string): Promise<boolean> {
  const { rows } = await sql<{ held: boolean }>`
    select pg_try_advisory_lock(${LOCKS.auditSinks}::integer, id) as held from audit_sinks where name = ${name}
  `.execute(connection);
  return rows[0]?.held === true;
}

export async function letGoOfAuditSink(connection: Database, name: string): Promise<void> {
  await sql`
    select pg_advisory_unlock(${LOCKS.auditSinks}::integer, id) from audit_sinks where name = ${name}
  `.execute(connection);
}

/**
 * Lets PostgreSQL end the connection, and so let go of what it holds, when nothing is heard on it for so long: a replica
 * that is frozen, or cut off without a word, would hold a sink for ever.
 */
export async function endWhenSilent(connection: Database, silentMs: number): Promise<void> {
  await sql`select set_config('idle_session_timeout', ${String(silentMs)}, false)`.execute(connection);
}

/** Says that somebody is there. */
export async function breakSilence(connection: Database): Promise<void> {
  await sql`select 1`.execute(connection);
}

/** To be called before others get the connection, who may be silent for as long as they like. */
export async function allowSilence(connection: Database): Promise<void> {
  await sql`reset idle_session_timeout`.execute(connection);
}

/**
 * Where the sink is. Its row was written by a later transaction than the one that it names; where that is not so, the
 * row was restored from a dump, and what is written from now on has lower numbers than it names.
 */
export async function readAuditProgress(connection: Database, name: string): Promise<AuditProgress> {
  const { rows } = await sql<{ tx: string; eventId: string; writtenBy: string; restored: boolean }>`
    select tx::text, event_id, written_by::text, written_by < tx as restored
    from audit_sinks s, lateral (
      -- The row's own transaction, of which it keeps the lower 32 bits.
      select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as now, s.xmin::text::bigint as lower
    ) as numbers, lateral (
      select now - now % 4294967296 + lower as number
    ) as same_epoch, lateral (
      select (case when number > now then number - 4294967296 else number end)::text::xid8 as written_by
    ) as full_number
    where name = ${name}`.execute(connection);
  const [row] = rows;
  if (row === undefined) throw new Error(`The audit sink "${name}" is not on record.`);
  const { tx, eventId, writtenBy, restored } = row;
  return {
    position: { tx, eventId },
    afterRestore: restored ? { tx: writtenBy, eventId: BEFORE_ALL } : undefined,
  };
}

export interface AuditSlice {
  readonly after: AuditPosition;
  readonly limit: number;
  /** Whether to read what a restored database brought with it, in numbers that its server has not come to. */
  readonly restored: boolean;
}

/**
 * The lines after a place, in the order of their transactions, up to the first transaction that is still open: one
 * that commits later can't have written anything before the last of them.
 */
export async function readAuditAfter(
  connection: Database,
  { after, limit, restored }: AuditSlice,
): Promise<{ event: AuditEvent; position: AuditPosition }[]> {
  const open = sql`pg_snapshot_xmin(pg_current_snapshot())`;
  const settled = restored
    ? sql`(tx < ${open} or tx >= pg_snapshot_xmax(pg_current_snapshot()))`
    : sql`tx < ${open}`;
  const { rows } = await sql<Omit<AuditEventsTable, 'tx'> & { number: string }>`
    select id, occurred_at, action, client_id, request_id, generation_id, attempt_id, message, tx::text as number
    from audit_events
    where (tx, id) > (${after.tx}::xid8, ${after.eventId}::uuid) and ${settled}
    order by tx, id limit ${limit}`.execute(connection);
  return rows.map((row) => ({ event: toAuditEvent(row), position: { tx: row.number, eventId: row.id } }));
}

/** Notes that every line up to this place was handed over. To be called by the one who holds the sink, on its connection. */
export async function saveAuditPosition(
  connection: Database,
  name: string,
  { tx, eventId }: AuditPosition,
): Promise<void> {
  await sql`
    update audit_sinks set tx = ${tx}::xid8, event_id = ${eventId}::uuid where name = ${name}`.execute(
    connection,
  );
}

import { type Kysely, sql } from 'kysely';

/**
 * How far each audit sink has got. Lines are numbered by the transaction that wrote them, because their ids are given
 * before they are committed, and commits overtake each other.
 *
 * What is there already gets this migration's number without being rewritten: the default is not volatile, and so it is
 * noted once for all rows that are there. The index on it is made with the first sink: see `audit-index.ts`.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table audit_events add column tx xid8 not null default pg_current_xact_id()`.execute(db);
  // A replica of the version before inserts whole rows, with null where it knows no column.
  await sql`
    create function audit_events_tell_tx() returns trigger language plpgsql as $$
      begin new.tx := pg_current_xact_id(); return new; end
    $$`.execute(db);
  await sql`
    create trigger audit_events_tell_tx before insert on audit_events
      for each row when (new.tx is null) execute function audit_events_tell_tx()`.execute(db);
  await sql`
    create table audit_sinks (
      id integer primary key generated always as identity,
      name text not null unique,
      tx xid8 not null,
      event_id uuid not null,
      created_at timestamptz(3) not null
    )`.execute(db);
}

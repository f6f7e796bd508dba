import { type Kysely, sql } from 'kysely';

/** The first ledger: see `tables.ts` for what each column means. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table clients (
      id uuid primary key,
      name text not null unique,
      created_at timestamptz(3) not null
    )`.execute(db);

  await sql`
    create table api_keys (
      id uuid primary key,
      public_id text not null unique,
      client_id uuid not null references clients (id),
      secret_sha256 text not null,
      scopes text[] not null,
      images_per_day integer,
      created_at timestamptz(3) not null,
      last_used_at timestamptz(3),
      revoked_at timestamptz(3)
    )`.execute(db);

  await sql`
    create table generations (
      id uuid primary key,
      client_id uuid not null references clients (id),
      api_key_id uuid,
      request_id text not null,
      status text not null
        check (status in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED', 'UNKNOWN')),
      prompt text not null,
      size text not null,
      delivery text not null check (delivery in ('AT_LEAST_ONCE', 'AT_MOST_ONCE')),
      requested_provider text,
      provider text,
      model text,
      idempotency_key text,
      ordinal smallint not null,
      fingerprint text not null,
      key_held boolean not null,
      quota_day date,
      failure jsonb,
      runner text,
      created_at timestamptz(3) not null,
      started_at timestamptz(3),
      finished_at timestamptz(3),
      deadline_at timestamptz(3)
    )`.execute(db);
  // The insert is the lock: two requests with one key meet here, and only one gets in.
  await sql`
    create unique index generations_held_key on generations (client_id, idempotency_key, ordinal)
      where key_held and idempotency_key is not null`.execute(db);
  await sql`create index generations_by_client on generations (client_id, id)`.execute(db);
  await sql`create index generations_by_time on generations (created_at)`.execute(db);
  await sql`
    create index generations_open on generations (id) where status in ('QUEUED', 'RUNNING')`.execute(db);

  await sql`
    create table attempts (
      id uuid primary key,
      generation_id uuid not null references generations (id) on delete cascade,
      number smallint not null,
      request_id text not null,
      provider text not null,
      outcome text not null
        check (outcome in ('PENDING', 'SUCCEEDED', 'REJECTED', 'NOT_ACCEPTED', 'UNKNOWN')),
      http_status smallint,
      error_code text,
      rejection text check (rejection in ('CONTENT_POLICY', 'REQUEST', 'OPERATOR')),
      started_at timestamptz(3) not null,
      finished_at timestamptz(3),
      unique (generation_id, number)
    )`.execute(db);

  await sql`
    create table images (
      id uuid primary key,
      generation_id uuid not null unique references generations (id) on delete cascade,
      client_id uuid not null,
      attempt_id uuid not null,
      blob_key text not null,
      width integer not null,
      height integer not null,
      byte_size integer not null,
      sha256 text not null,
      revised_prompt text,
      thumbhash text,
      created_at timestamptz(3) not null
    )`.execute(db);

  await sql`
    create table quota_usage (
      api_key_id uuid not null,
      day date not null,
      used integer not null,
      primary key (api_key_id, day)
    )`.execute(db);

  // No foreign keys: the trail outlives what it tells of.
  await sql`
    create table audit_events (
      id uuid primary key,
      occurred_at timestamptz(3) not null,
      action text not null,
      client_id uuid,
      request_id text not null,
      generation_id uuid,
      attempt_id uuid,
      message text
    )`.execute(db);
  await sql`create index audit_events_by_generation on audit_events (generation_id, id)`.execute(db);
  await sql`create index audit_events_by_client on audit_events (client_id, id)`.execute(db);
  await sql`create index audit_events_by_time on audit_events (occurred_at)`.execute(db);
  await sql`
    create function audit_events_are_append_only() returns trigger language plpgsql as $$
      begin raise exception 'audit_events is append-only' using errcode = 'insufficient_privilege'; end
    $$`.execute(db);
  await sql`
    create trigger audit_events_keep_rows before update or delete on audit_events
      for each row execute function audit_events_are_append_only()`.execute(db);
  await sql`
    create trigger audit_events_keep_table before truncate on audit_events
      for each statement execute function audit_events_are_append_only()`.execute(db);
}

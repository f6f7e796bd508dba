import { type Kysely, sql } from 'kysely';

/**
 * What outlives a caller: who is told of the end of a generation, pictures that were removed by age, and who waits and who
 * runs. It only adds, and what it adds to a table may be null: replicas of the version before write beside it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table webhooks (
      id uuid primary key,
      generation_id uuid not null references generations (id) on delete cascade,
      client_id uuid not null,
      url text not null,
      created_at timestamptz(3) not null,
      unique (generation_id, url)
    )`.execute(db);
  await sql`alter table images add column removed_at timestamptz(3)`.execute(db);
  await sql`create index generations_by_end on generations (finished_at) where finished_at is not null`.execute(
    db,
  );
  await sql`create index images_by_time on images (created_at) where removed_at is null`.execute(db);
  // Who waits and who runs, by provider and client, from the index alone, however many wait. It stands in for the one of
  // open generations by id, which nothing asks.
  await sql`
    create index generations_by_turn on generations (status, provider, client_id, id)
      where status in ('QUEUED', 'RUNNING')`.execute(db);
  await sql`drop index generations_open`.execute(db);
}

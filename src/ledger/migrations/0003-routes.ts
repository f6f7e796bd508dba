import { type Kysely, sql } from 'kysely';

/**
 * Where a generation goes on when its provider did not take it: names of providers, in order, those that were asked
 * included. Null is the one in `provider` alone, which is also what replicas of the version before write.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table generations add column route text[]`.execute(db);
}

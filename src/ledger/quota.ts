import { sql } from 'kysely';
import type { Database, DatabaseTransaction } from './database.ts';

/** The UTC day of an instant, `YYYY-MM-DD`. */
export const utcDay = (instant: Date): string => instant.toISOString().slice(0, 10);

/** The first instant after a UTC day. */
export const endOfUtcDay = (day: string): Date => new Date(Date.parse(`${day}T00:00:00Z`) + 24 * 3600 * 1000);

interface Reservable {
  readonly claim: { readonly apiKeyId: string | undefined; readonly imagesPerDay: number | undefined };
}

/**
 * Reserves an image of the day for each entry whose key has a limit, first come first served, and returns the
 * entries that may go on. Runs in the claim's transaction; the usage rows are locked in order of key.
 */
export async function reserveQuota<Entry extends Reservable>(
  transaction: DatabaseTransaction,
  entries: readonly Entry[],
  day: string,
): Promise<Set<Entry>> {
  const granted = new Set<Entry>();
  const limited = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { apiKeyId, imagesPerDay } = entry.claim;
    if (apiKeyId === undefined || imagesPerDay === undefined) granted.add(entry);
    else limited.set(apiKeyId, [...(limited.get(apiKeyId) ?? []), entry]);
  }
  for (const [apiKeyId, wanting] of [...limited].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await sql`
      insert into quota_usage (api_key_id, day, used) values (${apiKeyId}, ${day}, 0)
      on conflict do nothing`.execute(transaction);
    const { rows } = await sql<{ used: number }>`
      select used from quota_usage where api_key_id = ${apiKeyId} and day = ${day} for update`.execute(
      transaction,
    );
    let used = rows[0]?.used ?? 0;
    for (const entry of wanting) {
      if (used >= (entry.claim.imagesPerDay ?? 0)) continue;
      used += 1;
      granted.add(entry);
    }
    await sql`
      update quota_usage set used = ${used} where api_key_id = ${apiKeyId} and day = ${day}`.execute(
      transaction,
    );
  }
  return granted;
}

/** Gives back what these generations had reserved of a day. The usage rows are locked in order of key. */
export async function refundQuota(
  transaction: DatabaseTransaction,
  generationIds: readonly string[],
): Promise<void> {
  if (generationIds.length === 0) return;
  await sql`
    with refunds as (
      select g.api_key_id, g.quota_day, count(*)::integer as images from generations g
      where g.id = any(${generationIds}::uuid[]) and g.quota_day is not null group by 1, 2
    ), locked as (
      select q.api_key_id, q.day, r.images from quota_usage q
      join refunds r on r.api_key_id = q.api_key_id and r.quota_day = q.day
      order by q.api_key_id, q.day for update of q
    )
    update quota_usage q set used = greatest(q.used - l.images, 0)
    from locked l where q.api_key_id = l.api_key_id and q.day = l.day`.execute(transaction);
}

/** How many images the key has reserved on the UTC day. */
export async function quotaUsed(db: Database, apiKeyId: string, day: string): Promise<number> {
  const row = await db
    .selectFrom('quotaUsage')
    .select('used')
    .where('apiKeyId', '=', apiKeyId)
    .where('day', '=', day)
    .executeTakeFirst();
  return row?.used ?? 0;
}

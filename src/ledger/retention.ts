import { type Selectable, sql } from 'kysely';
import { type AuditLine, auditRow, insertAuditEvents } from './audit.ts';
import type { Database } from './database.ts';
import { LOCKS } from './locks.ts';
import type { GenerationsTable, ImagesTable } from './tables.ts';

/** An image that was made before a certain time, and whose bytes were not removed yet. */
export interface AgedImage
  extends Pick<
    Selectable<ImagesTable>,
    'id' | 'generationId' | 'clientId' | 'attemptId' | 'blobKey' | 'width' | 'height' | 'byteSize' | 'sha256'
  > {
  /** When it was made. */
  readonly since: Date;
  /** Of the HTTP request that made its generation. */
  readonly requestId: string;
}

/** A generation that ended before a certain time. */
export interface AgedGeneration
  extends Pick<Selectable<GenerationsTable>, 'id' | 'clientId' | 'requestId' | 'status'> {
  /** When it ended. */
  readonly since: Date;
  readonly attemptIds: readonly string[];
  /** Of its image, where it has one; also where the bytes were removed before. */
  readonly blobKey: string | null;
  readonly sha256: string | null;
}

/** A slice of a list, oldest first. */
export interface AgedSlice {
  /** Exclusive. */
  readonly before: Date;
  /** The last one of the slice before. */
  readonly after: { readonly id: string; readonly since: Date } | undefined;
  readonly limit: number;
}

const FIRST = { id: '00000000-0000-0000-0000-000000000000', since: new Date(0) };

export async function agedImages(db: Database, { before, after, limit }: AgedSlice): Promise<AgedImage[]> {
  const { id, since } = after ?? FIRST;
  const { rows } = await sql<AgedImage>`
    select i.id, i.generation_id, i.client_id, i.attempt_id, i.blob_key, i.width, i.height, i.byte_size, i.sha256,
      i.created_at as since, g.request_id
    from images i join generations g on g.id = i.generation_id
    where i.removed_at is null and i.created_at < ${before} and (i.created_at, i.id) > (${since}, ${id}::uuid)
    order by i.created_at, i.id limit ${limit}`.execute(db);
  return rows;
}

/** Those that have ended; what is queued or running is never too old. */
export async function agedGenerations(
  db: Database,
  { before, after, limit }: AgedSlice,
): Promise<AgedGeneration[]> {
  const { id, since } = after ?? FIRST;
  const { rows } = await sql<AgedGeneration>`
    select g.id, g.client_id, g.request_id, g.status, g.finished_at as since, i.blob_key, i.sha256,
      array(select a.id::text from attempts a where a.generation_id = g.id) as attempt_ids
    from generations g left join images i on i.generation_id = g.id
    where g.finished_at < ${before} and (g.finished_at, g.id) > (${since}, ${id}::uuid)
      and g.status not in ('QUEUED', 'RUNNING')
    order by g.finished_at, g.id limit ${limit}`.execute(db);
  return rows;
}

/**
 * Notes that the bytes of these images are gone, and frees the keys of their generations: asked again, a key makes a new
 * image rather than answer with one that nobody can look at. Returns how many images that were; one that was noted
 * before counts for nothing, and is not told of again.
 */
export async function noteImagesRemoved(
  db: Database,
  images: readonly AgedImage[],
  removedAt: Date,
): Promise<number> {
  const lines = images.map((image) =>
    auditRow(
      {
        ...lineOf('IMAGE_REMOVED', image, image.generationId),
        message: `${image.width}×${image.height}, ${image.byteSize} bytes, made ${image.since.toISOString()}; SHA-256 ${image.sha256}.`,
      },
      removedAt,
    ),
  );
  const { rows } = await sql`
    with locked as (
      select id from generations where id = any(${images.map((image) => image.generationId)}::uuid[])
      order by id for update
    ), removed as (
      update images i set removed_at = ${removedAt} from locked
      where i.generation_id = locked.id and i.removed_at is null returning i.generation_id
    ), freed as (
      update generations g set key_held = false from removed where g.id = removed.generation_id and g.key_held
    ), logged as (
      ${insertAuditEvents(lines)} where generation_id in (select generation_id from removed)
    )
    select generation_id from removed`.execute(db);
  return rows.length;
}

/**
 * Removes these generations with their attempts, images and webhooks; their audit lines stay. Returns how many that
 * were; one that another replica removed counts for nothing, and is not told of again.
 */
export async function removeGenerations(
  db: Database,
  generations: readonly AgedGeneration[],
  removedAt: Date,
): Promise<number> {
  const lines = generations.map((generation) => {
    const image = generation.sha256 === null ? '' : ` Its image had the SHA-256 ${generation.sha256}.`;
    const message = `${generation.status} since ${generation.since.toISOString()}.${image}`;
    return auditRow({ ...lineOf('GENERATION_REMOVED', generation, generation.id), message }, removedAt);
  });
  // What hangs on it goes by the cascade of its foreign keys.
  const { rows } = await sql`
    with locked as (
      select id from generations
      where id = any(${generations.map(({ id }) => id)}::uuid[]) and status not in ('QUEUED', 'RUNNING')
      order by id for update
    ), removed as (
      delete from generations g using locked where g.id = locked.id returning g.id
    ), logged as (
      ${insertAuditEvents(lines)} where generation_id in (select id from removed)
    )
    select id from removed`.execute(db);
  return rows.length;
}

/** Removes what was counted on UTC days before this one; claims and refunds only ever touch later ones. */
export async function removeQuotaUsage(db: Database, beforeDay: string): Promise<void> {
  await db.deleteFrom('quotaUsage').where('day', '<', beforeDay).execute();
}

/**
 * Does the work on one connection that holds the lock, so that no other replica does it meanwhile; undefined where
 * another one is at it. Nothing is written without the lock: it is lost only with the connection that writes.
 */
export async function whileAlone<Result>(
  db: Database,
  work: (connection: Database) => Promise<Result>,
): Promise<Result | undefined> {
  return db.connection().execute(async (connection) => {
    const { rows } = await sql<{ alone: boolean }>`
      select pg_try_advisory_lock(${LOCKS.retention}) as alone`.execute(connection);
    if (rows[0]?.alone !== true) return undefined;
    try {
      return await work(connection);
    } finally {
      await sql`select pg_advisory_unlock(${LOCKS.retention})`.execute(connection);
    }
  });
}

const lineOf = (
  action: AuditLine['action'],
  { clientId, requestId }: { clientId: string; requestId: string },
  generationId: string,
): AuditLine => ({ action, clientId, requestId, generationId });

import { createHash, randomBytes } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Scope } from '../generation.ts';
import { auditRow, insertAuditEvents } from './audit.ts';
import { ensureClient } from './clients.ts';
import type { Database } from './database.ts';
import { CHANNELS } from './notifications.ts';
import { type Page, paged } from './page.ts';
import type { ApiKeysTable } from './tables.ts';

/** A key as it is kept: never the secret, only its SHA-256. */
export interface ApiKey {
  readonly id: string;
  readonly publicId: string;
  readonly clientId: string;
  readonly secretSha256: string;
  readonly scopes: readonly Scope[];
  readonly imagesPerDay: number | undefined;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
}

/** `gesso_<public id>_<secret>`: 16 hex characters that name the key, and 43 that prove it (256 bit, base64url). */
const KEY = /^gesso_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/** The public id inside a well-formed key, else undefined. */
export const publicIdOf = (key: string): string | undefined => KEY.exec(key)?.[1];

/** SHA-256 of a key, lowercase hex. A fast hash is right here: a key is 256 random bits, not a password. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface NewApiKey {
  readonly clientName: string;
  readonly scopes: readonly Scope[];
  readonly imagesPerDay: number | undefined;
  /** Of the request that asks for it, for the audit trail. */
  readonly requestId: string;
}

/** Makes a key, for a client that is made too if there is none of the name. The secret is returned this once. */
export async function createApiKey(
  db: Database,
  { clientName, scopes, imagesPerDay, requestId }: NewApiKey,
  now: Date,
): Promise<{ apiKey: ApiKey; secret: string }> {
  const publicId = randomBytes(8).toString('hex');
  const secret = `gesso_${publicId}_${randomBytes(32).toString('base64url')}`;
  return db.transaction().execute(async (transaction) => {
    const client = await ensureClient(transaction, clientName, now);
    const row = await transaction
      .insertInto('apiKeys')
      .values({
        id: uuidv7(),
        publicId,
        clientId: client.id,
        secretSha256: sha256Hex(secret),
        scopes: [...scopes],
        imagesPerDay: imagesPerDay ?? null,
        createdAt: now,
        lastUsedAt: null,
        revokedAt: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const message = `Key ${publicId} for ${clientName}: ${scopes.join(', ')}.`;
    const line = { action: 'API_KEY_CREATED', requestId, clientId: client.id, message } as const;
    await insertAuditEvents([auditRow(line, now)]).execute(transaction);
    return { apiKey: toApiKey(row), secret };
  });
}

/** Revokes a key on every replica; undefined where there is none. Revoking twice keeps the first time. */
export async function revokeApiKey(
  db: Database,
  id: string,
  requestId: string,
  now: Date,
): Promise<ApiKey | undefined> {
  return db.transaction().execute(async (transaction) => {
    const found = await transaction
      .selectFrom('apiKeys')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (found === undefined || found.revokedAt !== null) return found && toApiKey(found);
    const row = await transaction
      .updateTable('apiKeys')
      .set({ revokedAt: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const message = `Key ${row.publicId}.`;
    const line = { action: 'API_KEY_REVOKED', requestId, clientId: row.clientId, message } as const;
    await insertAuditEvents([auditRow(line, now)]).execute(transaction);
    await sql`select pg_notify(${CHANNELS.keys}, ${row.publicId})`.execute(transaction);
    return toApiKey(row);
  });
}

/** The key of this public id with its client's name, revoked or not. */
export async function findApiKey(
  db: Database,
  publicId: string,
): Promise<(ApiKey & { clientName: string }) | undefined> {
  const row = await db
    .selectFrom('apiKeys')
    .innerJoin('clients', 'clients.id', 'apiKeys.clientId')
    .selectAll('apiKeys')
    .select('clients.name as clientName')
    .where('publicId', '=', publicId)
    .executeTakeFirst();
  return row && { ...toApiKey(row), clientName: row.clientName };
}

export async function apiKeysById(db: Database, ids: readonly string[]): Promise<ApiKey[]> {
  const rows = await db.selectFrom('apiKeys').selectAll().where('id', 'in', ids).execute();
  return rows.map(toApiKey);
}

/** A page of all keys, newest first. */
export async function listApiKeys(db: Database, page: Page): Promise<ApiKey[]> {
  const rows = await paged(db.selectFrom('apiKeys').selectAll(), page).execute();
  return rows.map(toApiKey);
}

/** Whether any key works at all. */
export async function anyUsableApiKey(db: Database): Promise<boolean> {
  const row = await db.selectFrom('apiKeys').select('id').where('revokedAt', 'is', null).executeTakeFirst();
  return row !== undefined;
}

/** Notes when keys were last used; coarse, so that it costs a write a minute rather than one a request. */
export async function noteKeyUse(db: Database, ids: readonly string[], now: Date): Promise<void> {
  await db.updateTable('apiKeys').set({ lastUsedAt: now }).where('id', 'in', ids).execute();
}

function toApiKey(row: Selectable<ApiKeysTable>): ApiKey {
  return {
    id: row.id,
    publicId: row.publicId,
    clientId: row.clientId,
    secretSha256: row.secretSha256,
    scopes: row.scopes as Scope[],
    imagesPerDay: row.imagesPerDay ?? undefined,
    createdAt: row.createdAt,
    lastUsedAt: row.lastUsedAt ?? undefined,
    revokedAt: row.revokedAt ?? undefined,
  };
}

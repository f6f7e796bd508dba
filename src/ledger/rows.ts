import { type Selectable, sql } from 'kysely';
import type { Attempt, Generation, Image } from '../generation.ts';
import type { AttemptsTable, GenerationsTable, ImagesTable } from './tables.ts';

/**
 * The columns of a generation by name, for statements that are prepared: their result must keep its shape when a
 * replica of the next version adds a column.
 */
export const generationColumns = (table: string) =>
  sql.raw(
    `id client_id api_key_id request_id status prompt size delivery requested_provider provider model idempotency_key
     ordinal fingerprint key_held quota_day failure runner created_at started_at finished_at deadline_at route`
      .split(/\s+/)
      .map((column) => `${table}.${column}`)
      .join(', '),
  );

/** From rows to nouns: null becomes undefined, and columns that are the ledger's own business are left out. */
const present = <T>(value: T | null): T | undefined => value ?? undefined;

export function toGeneration(row: Selectable<GenerationsTable>): Generation {
  return {
    id: row.id,
    clientId: row.clientId,
    status: row.status,
    prompt: row.prompt,
    size: row.size,
    delivery: row.delivery,
    requestedProvider: present(row.requestedProvider),
    idempotencyKey: present(row.idempotencyKey),
    ordinal: row.ordinal,
    fingerprint: row.fingerprint,
    keyHeld: row.keyHeld,
    provider: present(row.provider),
    route: row.route ?? (row.provider === null ? [] : [row.provider]),
    model: present(row.model),
    failure: present(row.failure),
    createdAt: row.createdAt,
    startedAt: present(row.startedAt),
    finishedAt: present(row.finishedAt),
    deadlineAt: present(row.deadlineAt),
  };
}

export function toAttempt(row: Selectable<AttemptsTable>): Attempt {
  return {
    id: row.id,
    generationId: row.generationId,
    number: row.number,
    requestId: row.requestId,
    provider: row.provider,
    outcome: row.outcome,
    httpStatus: present(row.httpStatus),
    errorCode: present(row.errorCode),
    rejection: present(row.rejection),
    startedAt: row.startedAt,
    finishedAt: present(row.finishedAt),
  };
}

export function toImage(row: Selectable<ImagesTable>): Image {
  return {
    id: row.id,
    generationId: row.generationId,
    clientId: row.clientId,
    blobKey: row.blobKey,
    width: row.width,
    height: row.height,
    byteSize: row.byteSize,
    sha256: row.sha256,
    contentType: 'image/png',
    revisedPrompt: present(row.revisedPrompt),
    thumbhash: present(row.thumbhash),
    createdAt: row.createdAt,
    removedAt: present(row.removedAt),
  };
}

/**
 * PostgreSQL refuses NUL in text, and JSON refuses it lone surrogates: text from outside loses both before it
 * gets near a statement.
 */
export const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '');

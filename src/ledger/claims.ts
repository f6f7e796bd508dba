import { type Selectable, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { DeliveryGuarantee, Generation, Image, ImageSize } from '../generation.ts';
import { auditRow, insertAuditEvents } from './audit.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { imagesOf } from './images.ts';
import { CHANNELS } from './notifications.ts';
import type { Queue } from './queue.ts';
import { reserveQuota, utcDay } from './quota.ts';
import { generationColumns, toGeneration } from './rows.ts';
import type { GenerationsTable } from './tables.ts';
import type { Webhooks } from './webhooks.ts';
import { createWriteBatch } from './write-batch.ts';

/** What a new generation is made of. */
export interface Claim {
  readonly clientId: string;
  readonly apiKeyId: string | undefined;
  readonly requestId: string;
  readonly prompt: string;
  readonly size: ImageSize;
  readonly delivery: DeliveryGuarantee;
  readonly requestedProvider: string | undefined;
  readonly provider: string;
  /** The providers that it may be made by, in order, that one first; undefined where it is the only one. */
  readonly route: readonly string[] | undefined;
  readonly model: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly ordinal: number;
  readonly fingerprint: string;
  readonly imagesPerDay: number | undefined;
  /** Who is told of its end, in its normal form. */
  readonly webhookUrl: string | undefined;
}

export type ClaimResult =
  /** The generation is new, and its job is in the queue. */
  | { readonly kind: 'claimed'; readonly generation: Generation }
  /** The key is held by this generation; whether it is the same intent is for the caller to compare. */
  | { readonly kind: 'held'; readonly generation: Generation; readonly image: Image | undefined }
  /** The key's images of this UTC day are spent; nothing was kept. */
  | { readonly kind: 'quota-spent'; readonly limit: number; readonly day: string };

/** A key may be freed between the insert that met it and the look at who holds it; then the claim runs again. */
const MAX_ROUNDS = 5;

export interface ClaimsOptions {
  readonly db: Database;
  readonly queue: Queue;
  readonly now: () => Date;
  /** Told with the NOTIFY, so that a replica knows its own word. */
  readonly replicaId: string;
  /** Undefined where nobody may be told. */
  readonly webhooks?: Webhooks | undefined;
}

/**
 * Claims: one transaction writes the generations, their quota reservations, their jobs and their audit lines.
 * The insert is the lock: of any number of requests with one key, on any number of replicas, one gets in.
 */
export function createClaims({ db, queue, now, replicaId, webhooks }: ClaimsOptions) {
  /** What a round has committed: when a later one fails and the batch is replayed, it must not be claimed again. */
  const committed = new WeakMap<Claim, ClaimResult>();
  const batch = createWriteBatch<Claim, ClaimResult>({
    // Overlapping batches of several replicas lock keys in one order, or they deadlock.
    compare: (a, b) => compareText(slot(a), slot(b)),
    async write(claims) {
      for (let round = 0; ; round++) {
        const open = claims.filter((claim) => !committed.has(claim));
        if (open.length === 0) return claims.map((claim) => committed.get(claim) as ClaimResult);
        if (round === MAX_ROUNDS) throw new Error('An idempotency key kept changing hands during the claim.');
        const results = new Map<Claim, ClaimResult>();
        await db.transaction().execute((transaction) => claimOnce(transaction, open, results));
        for (const [claim, result] of results) committed.set(claim, result);
      }
    },
  });

  async function claimOnce(
    transaction: DatabaseTransaction,
    claims: readonly Claim[],
    results: Map<Claim, ClaimResult>,
  ): Promise<void> {
    const createdAt = now();
    const byId = new Map(claims.map((claim) => [uuidv7(), claim]));
    const rows = [...byId].map(([id, claim]) => toRow(id, claim, createdAt));
    const inserted = await sql<Selectable<GenerationsTable>>`
      insert into generations
      select * from json_populate_recordset(null::generations, ${JSON.stringify(rows)}::json)
      on conflict do nothing
      returning ${generationColumns('generations')}`.execute(transaction);

    const fresh = inserted.rows.map((row) => ({ row, claim: byId.get(row.id) as Claim }));
    const granted = await reserveQuota(transaction, fresh, utcDay(createdAt));
    const refused = fresh.filter((entry) => !granted.has(entry));
    if (refused.length > 0) {
      await transaction
        .deleteFrom('generations')
        .where(
          'id',
          'in',
          refused.map(({ row }) => row.id),
        )
        .execute();
    }
    for (const { claim } of refused) {
      results.set(claim, {
        kind: 'quota-spent',
        limit: claim.imagesPerDay ?? 0,
        day: utcDay(createdAt),
      });
    }

    const accepted = fresh.filter((entry) => granted.has(entry));
    if (accepted.length > 0) {
      await queue.enqueue(
        transaction,
        accepted.map(({ row, claim }) => ({
          generationId: row.id,
          clientId: row.clientId,
          provider: claim.provider,
        })),
      );
      await webhooks?.register(
        transaction,
        accepted.flatMap(({ row: { id, clientId }, claim: { webhookUrl: url } }) =>
          url === undefined ? [] : [{ generationId: id, clientId, url }],
        ),
      );
      const lines = accepted.map(({ row, claim }) =>
        auditRow(
          {
            action: 'GENERATION_REQUESTED',
            requestId: claim.requestId,
            clientId: claim.clientId,
            generationId: row.id,
          },
          createdAt,
        ),
      );
      await sql`
        with logged as (${insertAuditEvents(lines)})
        select pg_notify(${CHANNELS.jobs}, ${replicaId})`.execute(transaction);
    }
    for (const { row, claim } of accepted) {
      results.set(claim, { kind: 'claimed', generation: toGeneration(row) });
    }

    const met = claims.filter((claim) => !fresh.some((entry) => entry.claim === claim));
    if (met.length > 0) await findHolders(transaction, met, results);
  }

  return {
    /** Resolves once the claim is committed, or its key was found held. */
    claim: (claim: Claim): Promise<ClaimResult> => batch.add(claim),
    settle: () => batch.settle(),
  };
}

export type Claims = ReturnType<typeof createClaims>;

async function findHolders(
  transaction: DatabaseTransaction,
  claims: readonly Claim[],
  results: Map<Claim, ClaimResult>,
): Promise<void> {
  const wanted = claims.map((claim) => ({
    client_id: claim.clientId,
    idempotency_key: claim.idempotencyKey,
    ordinal: claim.ordinal,
  }));
  const holders = await sql<Selectable<GenerationsTable>>`
    select ${generationColumns('g')}
    from json_to_recordset(${JSON.stringify(wanted)}::json)
      as w (client_id uuid, idempotency_key text, ordinal smallint)
    join generations g
      on g.client_id = w.client_id and g.idempotency_key = w.idempotency_key and g.ordinal = w.ordinal
      and g.key_held`.execute(transaction);
  const bySlot = new Map(holders.rows.map((row) => [slot(row), row]));
  const images = await imagesOf(
    transaction,
    holders.rows.filter((row) => row.status === 'SUCCEEDED').map((row) => row.id),
  );
  for (const claim of claims) {
    const row = bySlot.get(slot(claim));
    if (row === undefined) continue;
    results.set(claim, { kind: 'held', generation: toGeneration(row), image: images.get(row.id) });
  }
}

function toRow(id: string, claim: Claim, createdAt: Date) {
  return {
    id,
    client_id: claim.clientId,
    api_key_id: claim.apiKeyId ?? null,
    request_id: claim.requestId,
    status: 'QUEUED',
    prompt: claim.prompt,
    size: claim.size,
    delivery: claim.delivery,
    requested_provider: claim.requestedProvider ?? null,
    provider: claim.provider,
    route: claim.route ?? null,
    model: claim.model ?? null,
    idempotency_key: claim.idempotencyKey ?? null,
    ordinal: claim.ordinal,
    fingerprint: claim.fingerprint,
    key_held: claim.idempotencyKey !== undefined,
    quota_day: claim.imagesPerDay === undefined ? null : utcDay(createdAt),
    created_at: createdAt,
  };
}

/** Whom a key belongs to. NUL can't occur in a key, so that no two slots read alike. */
const slot = (claim: {
  clientId: string;
  idempotencyKey: string | null | undefined;
  ordinal: number;
}): string => `${claim.clientId}\0${claim.idempotencyKey ?? ''}\0${claim.ordinal}`;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

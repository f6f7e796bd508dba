import { sql } from 'kysely';
import { fromKysely, type PgBoss } from 'pg-boss';
import { v7 as uuidv7 } from 'uuid';
import { GatewayUnavailableError } from '../errors.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { CHANNELS } from './notifications.ts';
import { WEBHOOK_QUEUE, type WebhookJobData } from './webhook-jobs.ts';

/** Who wants to be told of the end of a generation. */
export interface WebhookRequest {
  readonly generationId: string;
  readonly clientId: string;
  /** In its normal form, so that one receiver is one row. */
  readonly url: string;
}

/** Different receivers that one generation may have: each is a request that the gateway makes. */
export const MAX_WEBHOOKS_PER_GENERATION = 10;

export interface WebhooksOptions {
  readonly db: Database;
  readonly boss: PgBoss;
  readonly now: () => Date;
}

/**
 * Who is told of the end of which generation. A delivery's job is committed together with the end that it tells of, or
 * together with the wish to be told of an end that was there already: never before, and never not at all.
 */
export function createWebhooks({ db, boss, now }: WebhooksOptions) {
  /** Puts the first try of each into the queue; the webhook's id is the job's, so that it gets there once. */
  async function enqueue(
    transaction: DatabaseTransaction,
    webhooks: readonly { id: string; clientId: string }[],
  ): Promise<void> {
    await boss.insert(
      WEBHOOK_QUEUE,
      webhooks.map(({ id, clientId }) => ({
        id,
        data: { webhookId: id, tryNumber: 1 } satisfies WebhookJobData,
        group: { id: clientId },
      })),
      { db: fromKysely(transaction) },
    );
    await sql`select pg_notify(${CHANNELS.webhooks}, '')`.execute(transaction);
  }

  const toRow = (request: WebhookRequest) => ({
    id: uuidv7(),
    generationId: request.generationId,
    clientId: request.clientId,
    url: request.url,
    createdAt: now(),
  });

  return {
    /** Notes whom to tell of generations that this very transaction claims. */
    async register(transaction: DatabaseTransaction, requests: readonly WebhookRequest[]): Promise<void> {
      if (requests.length > 0) await transaction.insertInto('webhooks').values(requests.map(toRow)).execute();
    },

    /**
     * Notes whom else to tell of a generation that was there before; of one that has ended, at once. The same receiver
     * is not told twice.
     *
     * It has a transaction of its own: the lock on the generation, which keeps an end from being written between the
     * look at it and the note, would meet a claim's locks in another order.
     */
    async join(request: WebhookRequest): Promise<'noted' | 'too-many'> {
      return db.transaction().execute(async (transaction) => {
        const generation = await transaction
          .selectFrom('generations')
          .select('finishedAt')
          .where('id', '=', request.generationId)
          .forShare()
          .executeTakeFirst();
        if (generation === undefined) {
          throw new GatewayUnavailableError('This generation was removed by age just now; ask again.');
        }
        const others = await transaction
          .selectFrom('webhooks')
          .select('url')
          .where('generationId', '=', request.generationId)
          .execute();
        if (others.some(({ url }) => url === request.url)) return 'noted';
        if (others.length >= MAX_WEBHOOKS_PER_GENERATION) return 'too-many';
        const noted = await transaction
          .insertInto('webhooks')
          .values(toRow(request))
          .onConflict((conflict) => conflict.doNothing())
          .returning(['id', 'clientId'])
          .execute();
        if (noted.length > 0 && generation.finishedAt !== null) await enqueue(transaction, noted);
        return 'noted';
      });
    },

    /**
     * Puts a delivery into the queue for everyone who wants to be told of these generations, in the transaction that
     * ends them, after their rows are locked.
     */
    async announce(transaction: DatabaseTransaction, generationIds: readonly string[]): Promise<void> {
      if (generationIds.length === 0) return;
      const { rows } = await sql<{ id: string; clientId: string }>`
        select id, client_id from webhooks where generation_id = any(${generationIds}::uuid[])`.execute(
        transaction,
      );
      if (rows.length > 0) await enqueue(transaction, rows);
    },
  };
}

export type Webhooks = ReturnType<typeof createWebhooks>;

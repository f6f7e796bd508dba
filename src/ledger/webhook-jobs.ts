import { type Selectable, sql } from 'kysely';
import { fromKysely, type PgBoss } from 'pg-boss';
import type { Generation, Image } from '../generation.ts';
import { type AuditLine, type AuditRow, auditRow, insertAuditEvents } from './audit.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { imagesOf } from './images.ts';
import { generationColumns, toGeneration } from './rows.ts';
import type { GenerationsTable } from './tables.ts';

export const WEBHOOK_QUEUE = 'webhooks';

/** What a job says; everything else is looked up when it is delivered. */
export interface WebhookJobData {
  readonly webhookId: string;
  /** From 1; the tries of one webhook are jobs of their own, one after the other. */
  readonly tryNumber: number;
}

interface ClaimedJob {
  readonly id: string;
  /** Counts claims. */
  readonly retryCount: number;
}

/** One try to deliver one webhook, taken by this replica. */
export interface Delivery {
  /** As it was fetched: settling names this very claim on it. */
  readonly job: ClaimedJob;
  readonly webhookId: string;
  readonly url: string;
  /** The try that the job was made for, from 1. */
  readonly tryNumber: number;
  /** Tries after that one that replicas began and did not live to end; the next one's number is the sum. */
  readonly cutOffTries: number;
  /** Of the HTTP request that made the generation. */
  readonly requestId: string;
  readonly generation: Generation;
  /** Present when the generation succeeded. */
  readonly image: Image | undefined;
}

/** How a try ended. */
export interface Settlement {
  readonly lines: readonly Pick<AuditLine, 'action' | 'message'>[];
  /** The next try; undefined where there is none. */
  readonly next: { readonly tryNumber: number; readonly delaySeconds: number } | undefined;
}

/** The queue itself never gives up on a job: how many tries there are is for who judges them to say. */
const RETRY_LIMIT = 1_000_000;
/** Far above the time of one try: the heartbeat's sweep gives back what is older, which was lost with its replica. */
const EXPIRE_IN_SECONDS = 60;
/** pg-boss drops a job that waited longer than this. */
const UNCLAIMED_RETENTION_SECONDS = 365 * 24 * 3600;

/** Makes the queue, or brings it up to date; to be called while pg-boss starts, see `boss.ts`. */
export async function installWebhookQueue(boss: PgBoss): Promise<void> {
  const settings = {
    expireInSeconds: EXPIRE_IN_SECONDS,
    retryLimit: RETRY_LIMIT,
    retryDelay: 0,
    deleteAfterSeconds: 3600,
    retentionSeconds: UNCLAIMED_RETENTION_SECONDS,
  };
  await boss.createQueue(WEBHOOK_QUEUE, settings);
  await boss.updateQueue(WEBHOOK_QUEUE, settings);
}

export interface WebhookJobsOptions {
  readonly db: Database;
  readonly boss: PgBoss;
  readonly now: () => Date;
}

/** The deliveries that are due, and what becomes of them. */
export function createWebhookJobs({ db, boss, now }: WebhookJobsOptions) {
  /** The lines of each settlement: one that is settled again, its commit's answer lost, has them once all the same. */
  const linesOf = new WeakMap<Settlement, readonly AuditRow[]>();

  return {
    /** Takes up to `limit` deliveries for this replica, none of these clients'. */
    async take(limit: number, exceptClientIds: readonly string[]): Promise<Delivery[]> {
      return db.transaction().execute(async (transaction) => {
        const jobs = await boss.fetch<WebhookJobData>(WEBHOOK_QUEUE, {
          batchSize: limit,
          ignoreGroups: [...exceptClientIds],
          db: fromKysely(transaction),
        });
        if (jobs.length === 0) return [];
        const found = await find(
          transaction,
          jobs.map(({ data }) => data.webhookId),
        );
        const deliveries = jobs.flatMap(({ id, retryCount, data }) => {
          const webhook = found.get(data.webhookId);
          if (webhook === undefined) return [];
          const { tryNumber } = data;
          return [{ ...webhook, job: { id, retryCount }, tryNumber, cutOffTries: retryCount }];
        });
        // Records that were removed by age have nobody left to tell.
        const over = jobs.filter(({ data }) => !found.has(data.webhookId));
        if (over.length > 0) await boss.complete(WEBHOOK_QUEUE, over, null, { db: fromKysely(transaction) });
        return deliveries;
      });
    },

    /**
     * Writes how a try ended, and puts the next one into the queue. A replica that lost the job meanwhile writes its
     * lines, since the try was made, and leaves the rest to the one that has the job now. May be called again with the
     * same settlement.
     */
    async settle(delivery: Delivery, settlement: Settlement): Promise<void> {
      const { job, webhookId, generation, requestId } = delivery;
      const { clientId, id: generationId } = generation;
      const { lines, next } = settlement;
      const occurredAt = now();
      const rows =
        linesOf.get(settlement) ??
        lines.map((line) => auditRow({ ...line, requestId, clientId, generationId }, occurredAt));
      linesOf.set(settlement, rows);
      await db.transaction().execute(async (transaction) => {
        const options = { db: fromKysely(transaction) };
        await sql`${insertAuditEvents(rows)} on conflict (id) do nothing`.execute(transaction);
        const completed = await boss.complete(WEBHOOK_QUEUE, job, null, options);
        if (next === undefined || affectedBy(completed) === 0) return;
        const data: WebhookJobData = { webhookId, tryNumber: next.tryNumber };
        const again = { data, startAfter: next.delaySeconds, group: { id: clientId } };
        await boss.insert(WEBHOOK_QUEUE, [again], options);
      });
    },

    /** Gives back every job that is being worked on. Only for a gateway that knows that no other is running. */
    async releaseAll(): Promise<void> {
      const { rows } = await sql<ClaimedJob>`
        select id, retry_count from gesso_queue.job where name = ${WEBHOOK_QUEUE} and state = 'active'`.execute(
        db,
      );
      if (rows.length > 0) await boss.fail(WEBHOOK_QUEUE, [...rows], null);
    },
  };
}

export type WebhookJobs = ReturnType<typeof createWebhookJobs>;

/** How many jobs a command changed, which pg-boss tells and does not type. */
const affectedBy = (answer: object): number => ('affected' in answer ? Number(answer.affected) : 0);

/** What the deliveries of these webhooks tell, by webhook id. */
async function find(
  transaction: DatabaseTransaction,
  webhookIds: readonly string[],
): Promise<Map<string, Pick<Delivery, 'webhookId' | 'url' | 'requestId' | 'generation' | 'image'>>> {
  const { rows } = await sql<Selectable<GenerationsTable> & { webhookId: string; url: string }>`
    select w.id as webhook_id, w.url, ${generationColumns('g')}
    from webhooks w join generations g on g.id = w.generation_id
    where w.id = any(${webhookIds}::uuid[])`.execute(transaction);
  const images = await imagesOf(
    transaction,
    rows.map(({ id }) => id),
  );
  return new Map(
    rows.map((row) => [
      row.webhookId,
      {
        webhookId: row.webhookId,
        url: row.url,
        requestId: row.requestId,
        generation: toGeneration(row),
        image: images.get(row.id),
      },
    ]),
  );
}

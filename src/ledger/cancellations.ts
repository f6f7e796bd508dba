import { type Selectable, sql } from 'kysely';
import type { Attempt, DeliveryGuarantee, Generation } from '../generation.ts';
import { attemptsOf } from './attempts.ts';
import { type AuditLine, auditRow, insertAuditEvents } from './audit.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { CHANNELS } from './notifications.ts';
import type { Queue } from './queue.ts';
import { refundQuota } from './quota.ts';
import { generationColumns, toGeneration } from './rows.ts';
import type { GenerationsTable } from './tables.ts';
import { type Viewer, visibleTo } from './viewer.ts';
import type { Webhooks } from './webhooks.ts';

/** What became of a wish to cancel. */
export type Cancellation =
  /** It is canceled, by this wish or by an earlier one. */
  | { readonly kind: 'canceled'; readonly generation: Generation; readonly mayBeBilled: boolean }
  /** It had ended before. */
  | { readonly kind: 'ended'; readonly generation: Generation }
  | { readonly kind: 'not-found' };

export interface CancelRequest {
  readonly generationId: string;
  /** Whose generations may be canceled. */
  readonly viewer: Viewer;
  /** Of the HTTP request. */
  readonly requestId: string;
}

export interface CancellationsOptions {
  readonly db: Database;
  readonly queue: Queue;
  readonly now: () => Date;
  /** Undefined where nobody may be told. */
  readonly webhooks: Webhooks | undefined;
}

/** What an attempt is on record with that was cut off by a cancel. */
const CUT_BY_CANCEL = 'CANCELED';

/** What a cancel leaves behind, given the attempts on record: the last two rows of the table in docs/idempotency.md. */
export function endingOfCancel(
  delivery: DeliveryGuarantee,
  attempts: readonly Attempt[],
): { mayBeBilled: boolean; keyHeld: boolean } {
  const mayBeBilled = attempts.some(({ outcome }) => outcome === 'PENDING' || outcome === 'UNKNOWN');
  return { mayBeBilled, keyHeld: mayBeBilled && delivery === 'AT_MOST_ONCE' };
}

/**
 * Cancels generations. Setting the status is the fence: whoever runs the generation can't write its end, nor begin
 * another attempt, from the commit on; the NOTIFY makes it end its call.
 */
export function createCancellations({ db, queue, now, webhooks }: CancellationsOptions) {
  async function cancelOpen(
    transaction: DatabaseTransaction,
    open: Selectable<GenerationsTable>,
    requestId: string,
  ): Promise<Cancellation> {
    const finishedAt = now();
    const attempts = (await attemptsOf(transaction, [open.id])).get(open.id) ?? [];
    const { mayBeBilled, keyHeld } = endingOfCancel(open.delivery, attempts);
    const cut = attempts.filter(({ outcome }) => outcome === 'PENDING');
    const about: Omit<AuditLine, 'action'> = {
      requestId,
      clientId: open.clientId,
      generationId: open.id,
    };
    const lines: AuditLine[] = cut.map(({ id, number }) => ({
      ...about,
      action: 'ATTEMPT_FINISHED',
      attemptId: id,
      message: `Attempt ${number} ended UNKNOWN, ${CUT_BY_CANCEL}.`,
    }));
    lines.push({
      ...about,
      action: 'GENERATION_CANCELED',
      message: mayBeBilled ? 'A call had been sent: it may be billed.' : 'Nothing had been sent.',
    });

    await sql`
      with cut as (
        update attempts set outcome = 'UNKNOWN', error_code = ${CUT_BY_CANCEL}, finished_at = ${finishedAt}
        where id = any(${cut.map(({ id }) => id)}::uuid[])
      )
      ${insertAuditEvents(lines.map((line) => auditRow(line, finishedAt)))}`.execute(transaction);
    const { rows } = await sql<Selectable<GenerationsTable>>`
      update generations g set status = 'CANCELED', key_held = g.key_held and ${keyHeld}, finished_at = ${finishedAt}
      where g.id = ${open.id} returning ${generationColumns('g')}`.execute(transaction);
    if (!mayBeBilled) await refundQuota(transaction, [open.id]);
    await webhooks?.announce(transaction, [open.id]);
    await queue.cancel(transaction, [{ id: open.id, provider: open.provider ?? '' }]);
    await sql`
      select pg_notify(${CHANNELS.cancellations}, ${open.id}), pg_notify(${CHANNELS.generations}, ${open.id})`.execute(
      transaction,
    );
    const [row = open] = rows;
    return { kind: 'canceled', generation: toGeneration(row), mayBeBilled };
  }

  return {
    /** Resolves once the cancel is committed, or there was nothing to cancel. */
    async cancel({ generationId, viewer, requestId }: CancelRequest): Promise<Cancellation> {
      return db.transaction().execute(async (transaction) => {
        const { rows } = await sql<Selectable<GenerationsTable>>`
          select ${generationColumns('g')} from generations g
          where g.id = ${generationId} and ${visibleTo(viewer)()} for update`.execute(transaction);
        const [row] = rows;
        if (row === undefined) return { kind: 'not-found' };
        if (row.status === 'QUEUED' || row.status === 'RUNNING')
          return cancelOpen(transaction, row, requestId);
        const generation = toGeneration(row);
        if (row.status !== 'CANCELED') return { kind: 'ended', generation };
        const attempts = (await attemptsOf(transaction, [row.id])).get(row.id) ?? [];
        return {
          kind: 'canceled',
          generation,
          mayBeBilled: endingOfCancel(row.delivery, attempts).mayBeBilled,
        };
      });
    },
  };
}

export type Cancellations = ReturnType<typeof createCancellations>;

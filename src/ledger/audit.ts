import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from './database.ts';
import { storable } from './rows.ts';
import { createWriteBatch } from './write-batch.ts';

export const AUDIT_ACTIONS = [
  'GENERATION_REQUESTED',
  'GENERATION_REPLAYED',
  'GENERATION_CONFLICTED',
  'GENERATION_DENIED',
  'ATTEMPT_STARTED',
  'ATTEMPT_FINISHED',
  'GENERATION_REROUTED',
  'GENERATION_SUCCEEDED',
  'GENERATION_FAILED',
  'GENERATION_CANCELED',
  'GENERATION_UNKNOWN',
  'GENERATION_REMOVED',
  'IMAGE_REMOVED',
  'WEBHOOK_DELIVERED',
  'WEBHOOK_FAILED',
  'API_KEY_CREATED',
  'API_KEY_REVOKED',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** One line of the append-only trail. */
export interface AuditEvent {
  readonly id: string;
  readonly occurredAt: Date;
  readonly action: AuditAction;
  readonly clientId: string | undefined;
  /** Correlates with logs and the `X-Request-Id` response header. */
  readonly requestId: string;
  readonly generationId: string | undefined;
  readonly attemptId: string | undefined;
  /** For people; never holds a secret. */
  readonly message: string | undefined;
}

/** An event as it is told; the trail numbers and dates it. */
export type AuditLine = Pick<AuditEvent, 'action' | 'requestId'> &
  Partial<Pick<AuditEvent, 'clientId' | 'generationId' | 'attemptId' | 'message'>>;

/** Gives the line its id and time, in the shape that `insertAuditEvents` takes. */
export const auditRow = (line: AuditLine, occurredAt: Date) => ({
  id: uuidv7(),
  occurred_at: occurredAt,
  action: line.action,
  client_id: line.clientId ?? null,
  request_id: line.requestId,
  generation_id: line.generationId ?? null,
  attempt_id: line.attemptId ?? null,
  message: line.message === undefined ? null : storable(line.message),
});
export type AuditRow = ReturnType<typeof auditRow>;

/** Those that a line is told with; what is left out is the database's to say. */
const COLUMNS = sql.raw('id, occurred_at, action, client_id, request_id, generation_id, attempt_id, message');

/** The statement part that appends rows given as one JSON parameter; runs alone or inside a larger statement. */
export const insertAuditEvents = (rows: readonly AuditRow[]) => sql`
  insert into audit_events (${COLUMNS})
  select ${COLUMNS} from json_populate_recordset(null::audit_events, ${JSON.stringify(rows)}::json)`;

/** Appends lines that belong to no other write: replays, conflicts, denials, keys. */
export function createAuditTrail({ db, now }: { db: Database; now: () => Date }) {
  const batch = createWriteBatch<AuditRow, undefined>({
    async write(rows) {
      await insertAuditEvents(rows).execute(db);
      return rows.map(() => undefined);
    },
  });
  return {
    /** Resolves once the line is committed. */
    async append(line: AuditLine): Promise<void> {
      await batch.add(auditRow(line, now()));
    },
    /** Resolves when every line that was given is committed, or has failed. */
    settle: () => batch.settle(),
  };
}

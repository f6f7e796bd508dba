import { sql } from 'kysely';
import { FencedError } from '../errors.ts';
import type { Attempt, AttemptOutcome, RejectionReason } from '../generation.ts';
import { type AuditLine, type AuditRow, auditRow, insertAuditEvents } from './audit.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { CHANNELS } from './notifications.ts';
import { type PersistOptions, persist } from './persist.ts';
import { storable, toAttempt } from './rows.ts';
import type { Run } from './run.ts';
import { createWriteBatch } from './write-batch.ts';

/** How an attempt ended, as far as it is known. */
export interface AttemptEnding {
  readonly outcome: Exclude<AttemptOutcome, 'PENDING' | 'SUCCEEDED'>;
  readonly httpStatus: number | undefined;
  readonly errorCode: string | undefined;
  readonly rejection: RejectionReason | undefined;
}

/** An ending as columns. */
export const endingColumns = (ending: AttemptEnding) => ({
  outcome: ending.outcome,
  http_status: ending.httpStatus ?? null,
  error_code: ending.errorCode === undefined ? null : storable(ending.errorCode).slice(0, 100),
  rejection: ending.rejection ?? null,
});

/** What the record middleware needs of the ledger. */
export interface AttemptLog {
  /**
   * Puts an attempt on record, committed, before a byte of it is sent. Waits for a database that is away, until
   * the signal is aborted.
   * @throws {FencedError} when another run owns the generation.
   */
  begin(run: Run, attempt: Attempt, signal: AbortSignal): Promise<void>;
  /** Records how it failed; waits likewise. @throws {FencedError} as above. */
  fail(run: Run, attempt: Attempt, ending: AttemptEnding): Promise<void>;
}

/** Attempts, written in group commits, each under the fence of its run. */
export function createAttemptLog({
  db,
  now,
  waiting,
}: {
  db: Database;
  now: () => Date;
  waiting: PersistOptions;
}): AttemptLog {
  const beginning = createWriteBatch<{ run: Run; attempt: Attempt; line: AuditRow }, boolean>({
    compare: byGeneration,
    async write(items) {
      const rows = items.map(({ run, attempt }) => ({
        id: attempt.id,
        generation_id: attempt.generationId,
        number: attempt.number,
        request_id: attempt.requestId,
        provider: attempt.provider,
        outcome: 'PENDING',
        started_at: attempt.startedAt,
        runner: run.runner,
      }));
      const lines = items.map(({ line }) => line);
      // The row lock is the fence: a takeover either sees this attempt or makes this insert come to nothing.
      const { rows: written } = await sql<{ id: string }>`
        with input as (
          select * from json_to_recordset(${JSON.stringify(rows)}::json) as x (
            id uuid, generation_id uuid, number smallint, request_id text, provider text, outcome text,
            started_at timestamptz, runner text)
        ), owned as (
          select g.id from generations g join input i on i.generation_id = g.id
          where g.runner = i.runner and g.status = 'RUNNING' order by g.id for update of g
        ), written as (
          insert into attempts (id, generation_id, number, request_id, provider, outcome, started_at)
          select id, generation_id, number, request_id, provider, outcome, started_at
          from input where generation_id in (select id from owned)
          on conflict (id) do update set started_at = excluded.started_at
          returning id, generation_id
        ), logged as (
          ${insertAuditEvents(lines)} where attempt_id in (select id from written)
          on conflict (id) do nothing
        )
        select id, pg_notify(${CHANNELS.changes}, generation_id::text) from written`.execute(db);
      return whichAreIn(written, items);
    },
  });

  const failing = createWriteBatch<
    { run: Run; attempt: Attempt; ending: AttemptEnding; line: AuditRow },
    boolean
  >({
    compare: byGeneration,
    async write(items) {
      const finishedAt = now();
      const rows = items.map(({ run, attempt, ending }) => ({
        id: attempt.id,
        runner: run.runner,
        ...endingColumns(ending),
      }));
      const lines = items.map(({ line }) => line);
      const { rows: written } = await sql<{ id: string }>`
        with input as (
          select * from json_to_recordset(${JSON.stringify(rows)}::json) as x (
            id uuid, runner text, outcome text, http_status smallint, error_code text, rejection text)
        ), owned as (
          select a.id from attempts a join input i on i.id = a.id join generations g on g.id = a.generation_id
          where g.runner = i.runner and g.status = 'RUNNING' order by g.id for update of g
        ), written as (
          update attempts a
          set outcome = i.outcome, http_status = i.http_status, error_code = i.error_code,
            rejection = i.rejection, finished_at = ${finishedAt}
          from input i where a.id = i.id and a.id in (select id from owned)
          returning a.id, a.generation_id
        ), logged as (
          ${insertAuditEvents(lines)} where attempt_id in (select id from written)
          on conflict (id) do nothing
        )
        select id, pg_notify(${CHANNELS.changes}, generation_id::text) from written`.execute(db);
      return whichAreIn(written, items);
    },
  });

  return {
    async begin(run, attempt, signal) {
      // Made once, so that a commit whose answer was lost is told of once.
      const message = `Attempt ${attempt.number} at ${attempt.provider}, request id ${attempt.requestId}.`;
      const line = auditRow(attemptLine('ATTEMPT_STARTED', run, attempt.id, message), attempt.startedAt);
      const begun = await persist(() => beginning.add({ run, attempt, line }), { ...waiting, signal });
      if (!begun) throw fenced(run);
    },
    async fail(run, attempt, ending) {
      const line = auditRow(attemptFinishedLine(run, attempt.id, attempt.number, ending), now());
      const failed = await persist(() => failing.add({ run, attempt, ending, line }), waiting);
      if (!failed) throw fenced(run);
    },
  };
}

/** For each item, whether the statement wrote its attempt: it did not where another run owns the generation. */
function whichAreIn(written: readonly { id: string }[], items: readonly { attempt: Attempt }[]): boolean[] {
  const ids = new Set(written.map(({ id }) => id));
  return items.map(({ attempt }) => ids.has(attempt.id));
}

const fenced = (run: Run): FencedError =>
  new FencedError(`Generation ${run.generation.id} is run by another replica now, or has ended.`);

const byGeneration = (a: { run: Run }, b: { run: Run }): number =>
  a.run.generation.id < b.run.generation.id ? -1 : 1;

const attemptLine = (
  action: AuditLine['action'],
  run: Run,
  attemptId: string,
  message: string,
): AuditLine => ({
  action,
  requestId: run.requestId,
  clientId: run.generation.clientId,
  generationId: run.generation.id,
  attemptId,
  message,
});

/** The line of an attempt whose outcome is known. */
export function attemptFinishedLine(
  run: Run,
  attemptId: string,
  number: number,
  ending: Pick<AttemptEnding, 'httpStatus' | 'errorCode'> & { outcome: AttemptOutcome },
): AuditLine {
  const { outcome, httpStatus, errorCode } = ending;
  const details = [outcome, httpStatus === undefined ? undefined : `HTTP ${httpStatus}`, errorCode];
  const message = `Attempt ${number} ended ${details.filter((detail) => detail !== undefined).join(', ')}.`;
  return attemptLine('ATTEMPT_FINISHED', run, attemptId, message);
}

/** The attempts of these generations, each list oldest first, by generation id. */
export async function attemptsOf(
  db: Database | DatabaseTransaction,
  generationIds: readonly string[],
): Promise<Map<string, Attempt[]>> {
  const byGenerationId = new Map<string, Attempt[]>(generationIds.map((id) => [id, []]));
  if (generationIds.length === 0) return byGenerationId;
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('generationId', 'in', generationIds)
    .orderBy('generationId')
    .orderBy('number')
    .execute();
  for (const row of rows) byGenerationId.get(row.generationId)?.push(toAttempt(row));
  return byGenerationId;
}

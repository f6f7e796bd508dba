import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { GenerationFailure, Image } from '../generation.ts';
import { attemptFinishedLine, endingColumns } from './attempts.ts';
import { type AuditAction, type AuditLine, auditRow, insertAuditEvents } from './audit.ts';
import type { DatabaseTransaction } from './database.ts';
import { CHANNELS } from './notifications.ts';
import { refundQuota } from './quota.ts';
import { storable } from './rows.ts';
import type { Run } from './run.ts';
import type { RunEnding, SucceededEnding } from './runs.ts';

const ACTIONS: Record<RunEnding['status'], AuditAction> = {
  SUCCEEDED: 'GENERATION_SUCCEEDED',
  FAILED: 'GENERATION_FAILED',
  UNKNOWN: 'GENERATION_UNKNOWN',
};

/** The image, the attempt, the quota, the audit lines and the NOTIFY of freshly ended generations. */
export async function writeConsequences(
  transaction: DatabaseTransaction,
  items: readonly { run: Run; ending: RunEnding }[],
  finishedAt: Date,
): Promise<Map<string, Image>> {
  const images = new Map<string, Image>();
  if (items.length === 0) return images;
  const imageRows: object[] = [];
  const attemptRows: object[] = [];
  const lines: AuditLine[] = [];
  const refunds: string[] = [];
  for (const { run, ending } of items) {
    const { generation } = run;
    if (ending.status === 'SUCCEEDED') {
      const image = toNewImage(run, ending, finishedAt);
      images.set(generation.id, image);
      imageRows.push(imageRow(image, ending.attempt.id));
      const outcome = { outcome: 'SUCCEEDED', httpStatus: ending.httpStatus, errorCode: undefined } as const;
      attemptRows.push({ id: ending.attempt.id, outcome: 'SUCCEEDED', http_status: ending.httpStatus });
      lines.push(attemptFinishedLine(run, ending.attempt.id, ending.attempt.number, outcome));
    } else {
      if (ending.refund) refunds.push(generation.id);
      if (ending.attempt !== undefined) {
        const { attempt, ending: attemptEnding } = ending.attempt;
        attemptRows.push({ id: attempt.id, ...endingColumns(attemptEnding) });
        lines.push(attemptFinishedLine(run, attempt.id, attempt.number, attemptEnding));
      }
    }
    lines.push({
      action: ACTIONS[ending.status],
      requestId: run.requestId,
      clientId: generation.clientId,
      generationId: generation.id,
      ...(ending.status === 'SUCCEEDED'
        ? { message: `${ending.image.width}×${ending.image.height}, ${ending.image.byteSize} bytes.` }
        : { message: `${ending.failure.code}: ${ending.failure.message}` }),
    });
  }
  const auditRows = lines.map((line) => auditRow(line, finishedAt));
  await sql`
    with new_images as (
      insert into images
      select * from json_populate_recordset(null::images, ${JSON.stringify(imageRows)}::json)
    ), ended_attempts as (
      update attempts a
      set outcome = i.outcome, http_status = i.http_status, error_code = i.error_code,
        rejection = i.rejection, finished_at = ${finishedAt}
      from json_to_recordset(${JSON.stringify(attemptRows)}::json)
        as i (id uuid, outcome text, http_status smallint, error_code text, rejection text)
      where a.id = i.id
    ), logged as (${insertAuditEvents(auditRows)})
    select pg_notify(${CHANNELS.generations}, id)
    from unnest(${items.map(({ run }) => run.generation.id)}::text[]) as id`.execute(transaction);
  await refundQuota(transaction, refunds);
  return images;
}

function toNewImage(run: Run, ending: SucceededEnding, createdAt: Date): Image {
  return {
    ...ending.image,
    revisedPrompt:
      ending.image.revisedPrompt === undefined ? undefined : storable(ending.image.revisedPrompt),
    id: uuidv7(),
    generationId: run.generation.id,
    clientId: run.generation.clientId,
    contentType: 'image/png',
    createdAt,
    removedAt: undefined,
  };
}

const imageRow = (image: Image, attemptId: string) => ({
  id: image.id,
  generation_id: image.generationId,
  client_id: image.clientId,
  attempt_id: attemptId,
  blob_key: image.blobKey,
  width: image.width,
  height: image.height,
  byte_size: image.byteSize,
  sha256: image.sha256,
  revised_prompt: image.revisedPrompt ?? null,
  thumbhash: image.thumbhash ?? null,
  created_at: image.createdAt,
});

export const storableFailure = (failure: GenerationFailure): GenerationFailure => ({
  ...failure,
  message: storable(failure.message),
  providerCode: failure.providerCode === undefined ? undefined : storable(failure.providerCode),
});

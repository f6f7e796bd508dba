import { sql } from 'kysely';
import type { Database } from './database.ts';
import { LOCKS } from './locks.ts';

const NAME = 'audit_events_by_tx';

/**
 * Makes the index by which sinks read the trail, where it is not there yet. It is made beside what is written meanwhile,
 * which takes as long as the trail is: only a gateway that has a sink pays for it.
 *
 * Returns whether it is there; false while another replica makes it.
 *
 * @param connection where it is made; `db` has another one, to end it by
 */
export async function ensureAuditIndex(
  db: Database,
  connection: Database,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await stateOfIndex(connection)) === 'valid') return true;
  const { rows } = await sql<{ alone: boolean; pid: number }>`
    select pg_try_advisory_lock(${LOCKS.auditIndex}) as alone, pg_backend_pid() as pid`.execute(connection);
  const [{ alone, pid } = { alone: false, pid: 0 }] = rows;
  if (!alone) return false;
  let canceling: Promise<unknown> = Promise.resolve();
  const cancel = (): void => {
    canceling = sql`select pg_cancel_backend(${pid})`.execute(db).catch(() => undefined);
  };
  signal.addEventListener('abort', cancel);
  try {
    const state = await stateOfIndex(connection);
    // Whoever began it was cut off. It is of no use, and each insert pays for it.
    if (state === 'invalid') await sql`drop index concurrently ${sql.raw(NAME)}`.execute(connection);
    if (state !== 'valid') {
      await sql`create index concurrently ${sql.raw(NAME)} on audit_events (tx, id)`.execute(connection);
    }
    return true;
  } finally {
    signal.removeEventListener('abort', cancel);
    await canceling;
    await sql`select pg_advisory_unlock(${LOCKS.auditIndex})`.execute(connection);
  }
}

async function stateOfIndex(connection: Database): Promise<'valid' | 'invalid' | 'missing'> {
  const { rows } = await sql<{ valid: boolean }>`
    select indisvalid as valid from pg_index where indexrelid = to_regclass(${NAME})`.execute(connection);
  const [index] = rows;
  if (index === undefined) return 'missing';
  return index.valid ? 'valid' : 'invalid';
}

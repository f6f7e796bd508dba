import type { AuditEvent } from './audit.ts';
import {
  type AuditPosition,
  holdAuditSink,
  letGoOfAuditSink,
  readAuditAfter,
  readAuditProgress,
  saveAuditPosition,
} from './audit-sinks.ts';
import type { Database } from './database.ts';

/** The trail as one sink reads it, by the one connection that holds the sink. */
export interface HeldAuditTail {
  /** The next lines; the same again until they are confirmed. */
  read(): Promise<readonly AuditEvent[]>;
  /** The lines that were read last are safe. */
  confirm(): Promise<void>;
  letGo(): Promise<void>;
}

/** Takes the sink, unless another connection holds it: then undefined. */
export async function takeAuditTail(
  connection: Database,
  name: string,
  limit: number,
): Promise<HeldAuditTail | undefined> {
  if (!(await holdAuditSink(connection, name))) return undefined;
  let { position: after, afterRestore } = await readAuditProgress(connection, name);
  let lastRead: AuditPosition | undefined;

  async function save(position: AuditPosition): Promise<void> {
    await saveAuditPosition(connection, name, position);
    after = position;
  }
  async function read(): Promise<readonly AuditEvent[]> {
    const restored = afterRestore !== undefined;
    const lines = await readAuditAfter(connection, { after, limit, restored });
    lastRead = lines.at(-1)?.position;
    if (lines.length > 0 || afterRestore === undefined) return lines.map(({ event }) => event);
    const from = afterRestore;
    afterRestore = undefined;
    await save(from);
    return read();
  }
  async function confirm(): Promise<void> {
    if (lastRead === undefined) return;
    // The row tells that it was restored until it is written: not before all that came with it was handed over.
    if (afterRestore === undefined) await save(lastRead);
    else after = lastRead;
  }
  return { read, confirm, letGo: () => letGoOfAuditSink(connection, name) };
}

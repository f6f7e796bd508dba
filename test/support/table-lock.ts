import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresServer } from './postgres-server.ts';

/** Holds statements up where a test wants to find them. */
export interface TableLock {
  /** Resolves when a statement waits for the table. @throws {Error} when none comes. */
  untilSomebodyWaits(): Promise<void>;
  /**
   * Gives the table free. The statements that wait are ended first: they are of a replica that was killed, and would
   * else be carried out for the dead.
   */
  end(): Promise<void>;
}

const WAIT_MS = 10_000;

export async function lockTable(
  postgres: PostgresServer,
  table: string,
  mode: 'share' | 'access exclusive',
): Promise<TableLock> {
  const [holder, watcher] = [await postgres.connect(), await postgres.connect()];
  await holder.query(`begin; lock table ${table} in ${mode} mode`);
  const waiting = `from pg_locks where relation = '${table}'::regclass and not granted`;
  return {
    async untilSomebodyWaits() {
      const deadline = performance.now() + WAIT_MS;
      while ((await watcher.query(`select 1 ${waiting}`)).rowCount === 0) {
        if (performance.now() > deadline) throw new Error(`Nobody waits for ${table}.`);
        await delay(20);
      }
    },
    async end() {
      // With a limit, the statement resolves once they are gone.
      await watcher.query(`select pg_terminate_backend(pid, 5000) ${waiting}`);
      await Promise.all([holder.end(), watcher.end()]);
    },
  };
}

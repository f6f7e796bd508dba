import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import * as ledger from './migrations/0001-ledger.ts';
import type { Tables } from './tables.ts';

/** Every migration in order; a released one never changes, and each only adds. */
const migrations = { '0001-ledger': ledger };

/**
 * Brings the database to the newest version. Safe when replicas start together: Kysely holds an advisory
 * lock, so one migrates and the others find it done.
 */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    migrationTableName: 'gesso_migrations',
    migrationLockTableName: 'gesso_migrations_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

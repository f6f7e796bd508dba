import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import * as ledger from './migrations/0001-ledger.ts';
import * as afterTheCaller from './migrations/0002-after-the-caller.ts';
import * as routes from './migrations/0003-routes.ts';
import * as auditSinks from './migrations/0004-audit-sinks.ts';
import type { Tables } from './tables.ts';

/** Every migration in order; a released one never changes, and each only adds. */
const migrations = {
  '0001-ledger': ledger,
  '0002-after-the-caller': afterTheCaller,
  '0003-routes': routes,
  '0004-audit-sinks': auditSinks,
};

/** Where Kysely keeps which migrations were run. */
const TABLES = { migrationTableName: 'gesso_migrations', migrationLockTableName: 'gesso_migrations_lock' };

/**
 * Brings the database to the newest version that this gateway knows. Safe when replicas start together: Kysely holds
 * an advisory lock, so one migrates and the others find it done.
 *
 * A database that is ahead is left alone: each migration only adds, so that a replica of the version before starts, and
 * works, beside those of the next.
 */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const ahead = Object.fromEntries((await executedElsewhere(db)).map((name) => [name, NOTHING_TO_DO]));
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations, ...ahead }) },
    ...TABLES,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Stands in for a migration of a later version. It was run, so it is never run. */
const NOTHING_TO_DO = { up: async () => undefined };

/** The migrations on record that this version doesn't know, which a later one made. */
async function executedElsewhere(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === TABLES.migrationTableName)) return [];
  const rows = await (db as unknown as Kysely<Record<string, { name: string }>>)
    .selectFrom(TABLES.migrationTableName)
    .select('name')
    .execute();
  return rows.map(({ name }) => name).filter((name) => !(name in migrations));
}

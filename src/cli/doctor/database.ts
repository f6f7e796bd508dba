import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../ledger/embedded/embedded-postgres.ts';
import { type Check, type Finding, good, look, messageOf, type Patient, wrong } from './check.ts';
import { nearestFolder } from './data-folder.ts';

/** For a connection, and for each statement, in milliseconds. */
const PATIENCE_MS = 5_000;
const OLDEST_VERSION = 15;

/** Whether PostgreSQL answers, and how far its tables are. Nothing is migrated. */
export const database: Check = {
  name: 'Database',
  async look({ config }) {
    try {
      return config.databaseUrl === undefined ? await embedded(config) : await given(config.databaseUrl);
    } catch (error) {
      const advice =
        config.databaseUrl === undefined
          ? 'See postgres.log in the data folder; or set DATABASE_URL to a PostgreSQL of your own.'
          : 'See DATABASE_URL: host, port, user, password and database.';
      return wrong(`PostgreSQL can't be used: ${messageOf(error)}`, advice);
    }
  },
};

const given = (connectionString: string): Promise<Finding> => examine({ connectionString }, 'PostgreSQL');

/** The gateway's own: joined where it runs, run for a moment where it doesn't, tried elsewhere where it isn't made. */
async function embedded({ dataDir }: Patient['config']): Promise<Finding> {
  if (existsSync(join(dataDir, 'postgres'))) {
    const server = await startEmbeddedPostgres({ dataDir, role: 'guest', patienceMs: PATIENCE_MS });
    try {
      return await examine({ ...server.connection }, 'PostgreSQL of its own,');
    } finally {
      await server.close();
    }
  }
  // In a folder beside, because whose folder it is decides which user can run it.
  const folder = await mkdtemp(join(await nearestFolder(dataDir), '.gesso-doctor-'));
  try {
    await (await startEmbeddedPostgres({ dataDir: folder, role: 'guest' })).close();
    return good('PostgreSQL of its own: runs here (tried in a folder aside); the first start makes it');
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function examine(connection: pg.ClientConfig, name: string): Promise<Finding> {
  const client = new pg.Client({
    ...connection,
    application_name: 'gesso doctor',
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
  });
  // What happens to the connection rejects the statement that waits on it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; number: number; migrated: boolean }>(
      `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
        to_regclass('gesso_migrations') is not null as migrated`,
    );
    const { version = '', number = 0, migrated = false } = rows[0] ?? {};
    const server = `${name} ${version.split(' ')[0]}`;
    if (number < OLDEST_VERSION * 10_000) {
      return wrong(`${server} is too old`, `Gesso needs version ${OLDEST_VERSION} or later.`);
    }
    if (!migrated) return good(`${server}; the first start makes its tables`);
    return judgeMigrations(server, await client.query<{ name: string }>('select name from gesso_migrations'));
  } finally {
    await client.end();
  }
}

async function judgeMigrations(server: string, { rows }: { rows: { name: string }[] }): Promise<Finding> {
  const known = await knownMigrations();
  const done = rows.map(({ name }) => name);
  const missing = known.filter((name) => !done.includes(name));
  const later = done.filter((name) => !known.includes(name));
  if (missing.length > 0) {
    return look(
      `${server}; ${missing.length} of ${known.length} migrations are not run`,
      'The next start runs them.',
    );
  }
  if (later.length > 0) {
    return look(
      `${server}; a later version of Gesso has migrated it (${later.join(', ')})`,
      'This version works beside it; go on to that one.',
    );
  }
  return good(`${server}; all ${known.length} migrations are run`);
}

/** The migrations of this version: each has a file of its name. */
export async function knownMigrations(): Promise<string[]> {
  const files = await readdir(fileURLToPath(new URL('../../ledger/migrations/', import.meta.url)));
  const names = files.map((file) => /^(\d{4}-[a-z0-9-]+)\.[jt]s$/.exec(file)?.[1]);
  return names.filter((name) => name !== undefined).sort();
}

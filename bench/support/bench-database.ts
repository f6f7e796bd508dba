import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/ledger/embedded/embedded-postgres.ts';
import { parentOf } from './proc.ts';

/** One PostgreSQL for several gateways: the embedded binaries with the embedded settings, run by the bench. */
export async function startBenchPostgres() {
  const dataDir = await mkdtemp(join(tmpdir(), 'gesso-bench-postgres-'));
  const server = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
  const { user, password, host, port, database } = server.connection;

  const urlOf = (name: string): string => {
    const isSocket = host.startsWith('/');
    const url = new URL(`postgres://${user}:${password}@${isSocket ? 'localhost' : host}:${port}/${name}`);
    if (isSocket) url.searchParams.set('host', host);
    return url.href;
  };
  const admin = new pg.Client({ connectionString: urlOf(database) });
  await admin.connect();
  // Costs two looks at the clock a flush, and tells how long flushes take.
  await admin.query('alter system set track_wal_io_timing = on');
  await admin.query('select pg_reload_conf()');
  const { rows } = await admin.query<{ pid: number }>('select pg_backend_pid() as pid');
  let made = 0;

  async function close(): Promise<void> {
    await admin.end();
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
  }
  // The server has a process group of its own: who stops the bench would leave it running.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(1)));
  }

  return {
    /** Of the server's first process; the others are its children. */
    pid: parentOf(rows[0]?.pid ?? 0),
    /** For figures of the whole server. */
    admin,
    /** A fresh, empty database. */
    async createDatabase() {
      made += 1;
      const name = `bench_${made}`;
      await admin.query(`create database ${name}`);
      return {
        name,
        url: urlOf(name),
        ranOnEach: () => ranOnEach(urlOf(name)),
        drop: async () => void (await admin.query(`drop database ${name} with (force)`)),
      };
    },
    close,
  };
}

/** How many generations each gateway ran; `runner` is made of host, process, life and claim. */
async function ranOnEach(connectionString: string): Promise<number[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ ran: number }>(
      `select count(*)::integer as ran from generations group by regexp_replace(runner, ':[0-9]+$', '') order by 1`,
    );
    return rows.map(({ ran }) => ran);
  } finally {
    await client.end();
  }
}

export type BenchPostgres = Awaited<ReturnType<typeof startBenchPostgres>>;

import { mkdtemp, rm } from 'node:fs/promises';
import type { NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import {
  type EmbeddedConnection,
  startEmbeddedPostgres,
} from '../../src/ledger/embedded/embedded-postgres.ts';

/** A PostgreSQL of a test's own, which it may stop, start and crash. */
export interface PostgresServer {
  readonly connection: EmbeddedConnection;
  /** Where it listens, for a proxy in front of it. The same in all its lives. */
  readonly target: NetConnectOpts;
  /** One SQL statement, on a connection of its own. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** A connection for locks, which may be lost with the server. To be ended by the test. */
  connect(): Promise<pg.Client>;
  /** Ends it in good order: who is connected is cut off, who comes is refused. */
  stop(): Promise<void>;
  /** Starts it again on its data. */
  start(): Promise<void>;
  /** Kills one of its processes with SIGKILL, on which PostgreSQL drops everyone and recovers from its log. */
  crash(): Promise<void>;
  /** Ends it, and removes its data. */
  close(): Promise<void>;
}

/** Starts it on a folder of its own, outside Vitest as well. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-postgres-'));
  const launch = () => startEmbeddedPostgres({ dataDir: folder, role: 'gateway' });
  let server = await launch();
  const { connection } = server;
  const { host, port } = connection;

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...connection });
    // It goes with the server that the test ends.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  return {
    connection,
    target: host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port },
    connect,
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      const client = await connect();
      try {
        return (await client.query<Row>(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    stop: () => server.close(),
    async start() {
      server = await launch();
    },
    async crash() {
      const client = await connect();
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const gone = new Promise<void>((resolve) => client.once('end', resolve));
      process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
      await gone;
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

import { findBinaries } from './binaries.ts';
import { chooseServerUser } from './choose-server-user.ts';
import { DATABASE_USER, ensureCluster } from './cluster.ts';
import type { Endpoint } from './endpoint.ts';
import { type FolderLayout, openDataFolder } from './folder-layout.ts';
import type { FolderLock, LockRole } from './folder-lock.ts';
import { joinOrLock } from './join-or-lock.ts';
import { type EmbeddedPostgresLog, silentLog } from './log.ts';
import { boundLog } from './server-log.ts';
import { startServer, startServerAt } from './start-server.ts';
import { superviseServer } from './supervise.ts';
import { errorMessage } from './system-error.ts';

/** What node-postgres needs to connect; the same for as long as the server is kept running. */
export interface EmbeddedConnection {
  /** An address, or the folder of the server's Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  readonly connection: EmbeddedConnection;
  /**
   * Stops the server, where this process started it, and gives the data folder free. To be called after the
   * pools are closed: what is still connected is cut off.
   */
  close(): Promise<void>;
}

/** initdb makes it, and it serves as well as one of our own. */
const DATABASE = 'postgres';

/** How often the server's log is looked at. */
const LOG_CHECK_MS = 60_000;

/**
 * Runs a real PostgreSQL under the data folder, made there if it is missing, and keeps it running until `close`.
 *
 * - `gateway`: owns the data folder; a second one is refused for as long as the first lives.
 * - `guest` (a command): uses the server of the gateway that runs, or else runs one for the time it needs. A
 *   gateway that starts meanwhile waits for it.
 *
 * No process signal is handled here: a process that ends without `close` leaves its server running, and the
 * next start on this folder stops it.
 *
 * @param options.patienceMs how long to wait for a guest that holds the folder, or as a guest for a gateway
 *   that is just starting. @default 30000
 * @throws {ConfigError} when the folder is in use or can't be used, or no server can be run here.
 */
export async function startEmbeddedPostgres({
  dataDir,
  role,
  log = silentLog,
  patienceMs = 30_000,
}: {
  dataDir: string;
  role: LockRole;
  log?: EmbeddedPostgresLog;
  patienceMs?: number;
}): Promise<EmbeddedPostgres> {
  const layout = await openDataFolder(dataDir);
  const seat = await joinOrLock({ layout, role, patienceMs });
  if ('endpoint' in seat) {
    return { connection: connectionTo(seat.endpoint, seat.password), close: async () => {} };
  }
  try {
    return await runServer({ layout, lock: seat, log });
  } catch (error) {
    seat.release();
    throw error;
  }
}

async function runServer({
  layout,
  lock,
  log,
}: {
  layout: FolderLayout;
  lock: FolderLock;
  log: EmbeddedPostgresLog;
}): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const user = await chooseServerUser({ layout, program: binaries.postgres });
  const password = await ensureCluster({ layout, binaries, user, log });
  const setup = { layout, binaries, user, password, log };
  const server = await startServer(setup);
  const restart = () => startServerAt(setup, server.endpoint);
  const supervision = superviseServer({ server, restart, log });
  const logChecks = setInterval(() => {
    boundLog(layout.log).catch((error: unknown) =>
      log.warn({ error: errorMessage(error) }, "the embedded PostgreSQL's log could not be shortened"),
    );
  }, LOG_CHECK_MS).unref();

  const stop = async () => {
    clearInterval(logChecks);
    try {
      await supervision.stop();
    } finally {
      lock.release();
    }
  };
  let closing: Promise<void> | undefined;
  return {
    connection: connectionTo(server.endpoint, password),
    close() {
      closing ??= stop();
      return closing;
    },
  };
}

const connectionTo = ({ host, port }: Endpoint, password: string): EmbeddedConnection => ({
  host,
  port,
  user: DATABASE_USER,
  password,
  database: DATABASE,
});

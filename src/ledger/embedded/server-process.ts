import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Binaries } from './binaries.ts';
import type { Endpoint } from './endpoint.ts';
import type { FolderLayout } from './folder-layout.ts';
import type { EmbeddedPostgresLog } from './log.ts';
import { readPostmasterFile } from './postmaster-file.ts';
import { boundLog, logSize, readLogSince } from './server-log.ts';
import { serverArguments } from './server-settings.ts';
import { giveToServerUser, type ServerUser, spawnAs } from './server-user.ts';
import { shutDown } from './shut-down.ts';

/** What is the same for every start of one data folder's server. */
export interface ServerSetup {
  readonly layout: FolderLayout;
  readonly binaries: Binaries;
  readonly user: ServerUser;
  readonly password: string;
  readonly log: EmbeddedPostgresLog;
}

/** A server that takes connections, and is our child. */
export interface ServerProcess {
  readonly pid: number;
  readonly endpoint: Endpoint;
  /** Resolves when the process ended, however that came. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** The server ended before it took connections; `message` is what it wrote to its log. */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
}

/** Recovery after a crash reads at most `max_wal_size`; more than this means that something else is wrong. */
const LONGEST_START_MS = 120_000;

/**
 * Starts the server and waits until it takes connections.
 *
 * @throws {ServerStartError} when it ends before that, or takes longer than two minutes.
 */
export async function startServerProcess(setup: ServerSetup, endpoint: Endpoint): Promise<ServerProcess> {
  const { layout, binaries, user, log } = setup;
  await boundLog(layout.log);
  const logOffset = await logSize(layout.log);
  const logFile = await open(layout.log, 'a', 0o600);
  await giveToServerUser(user, layout.log);
  // Detached, or Ctrl-C would end the database while the gateway still drains.
  const child = spawnAs(user, binaries.postgres, serverArguments(layout.cluster, endpoint), {
    detached: true,
    stdio: ['ignore', logFile.fd, logFile.fd],
  });
  child.unref();
  await logFile.close();
  let hasExited = false;
  const exited = new Promise<void>((resolve) => {
    const ended = () => {
      hasExited = true;
      resolve();
    };
    child.once('exit', ended);
    child.once('error', ended);
  });
  const { pid } = child;
  if (pid === undefined) throw new ServerStartError(`${binaries.postgres} can't be run`);
  const stop = () => shutDown({ pid, binaries, hasExited: () => hasExited, log });

  const giveUpAt = performance.now() + LONGEST_START_MS;
  while (!(await isReady(layout.cluster, pid))) {
    if (hasExited) throw new ServerStartError(await readLogSince(layout.log, logOffset));
    if (performance.now() > giveUpAt) {
      await stop();
      throw new ServerStartError('it took no connections for two minutes');
    }
    await sleep(5);
  }
  log.info({ serverPid: pid, ...endpoint, user: user.name }, 'the embedded PostgreSQL takes connections');
  return { pid, endpoint, exited, stop };
}

/** PostgreSQL tells in its pid file when it is ready. An older file holds another pid. */
async function isReady(cluster: string, pid: number): Promise<boolean> {
  const file = await readPostmasterFile(cluster);
  return file?.pid === pid && file.ready;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../errors.ts';
import { type Endpoint, loopbackEndpoint, socketEndpoint } from './endpoint.ts';
import { isPostmasterOf, readPostmasterFile, removeStaleFiles } from './postmaster-file.ts';
import {
  type ServerProcess,
  type ServerSetup,
  ServerStartError,
  startServerProcess,
} from './server-process.ts';
import { shutDown } from './shut-down.ts';

/** The port or the socket can't be had: another one may. */
const CANNOT_LISTEN = /could not create any (Unix-domain|TCP\/IP) sockets/;

/** Another server on this folder is just ending, or was just started by a gateway that was killed. */
const NOT_ALONE = /pre-existing shared memory block|lock file ".*" already exists/;

const STARTS = 20;

/**
 * Starts the server for the first time in this process: on its socket where that works, else on loopback.
 *
 * @throws {ConfigError} with what PostgreSQL said, when it doesn't start.
 */
export async function startServer(setup: ServerSetup): Promise<ServerProcess> {
  let endpoint = socketEndpoint(setup.layout.cluster) ?? (await loopbackEndpoint());
  for (let start = 1; ; start++) {
    try {
      return await startServerAt(setup, endpoint);
    } catch (error) {
      if (!(error instanceof ServerStartError)) throw error;
      const maySucceed = CANNOT_LISTEN.test(error.message) || NOT_ALONE.test(error.message);
      if (!maySucceed || start === STARTS) {
        throw new ConfigError(
          `The embedded PostgreSQL did not start (its log is ${setup.layout.log}): ${error.message}`,
          { cause: error },
        );
      }
      if (CANNOT_LISTEN.test(error.message)) endpoint = await loopbackEndpoint();
      else await sleep(100);
    }
  }
}

/**
 * Starts the server at this endpoint, after whatever an earlier one left has been cleared away.
 *
 * @throws {ServerStartError}
 */
export async function startServerAt(setup: ServerSetup, endpoint: Endpoint): Promise<ServerProcess> {
  await clearLeftover(setup);
  return startServerProcess(setup, endpoint);
}

/**
 * A killed gateway leaves its server running. It is stopped rather than used: the next one is our child, whose
 * end we hear of, has the settings of this release, and holds no open transaction of the dead.
 */
async function clearLeftover({ layout, binaries, password, log }: ServerSetup): Promise<void> {
  const file = await readPostmasterFile(layout.cluster);
  if (file === undefined) return;
  const isAlive = () => isPostmasterOf(layout.cluster, file, password);
  if (file.pid !== undefined && (await isAlive())) {
    log.warn({ serverPid: file.pid }, 'stopping the PostgreSQL that an earlier gateway left running');
    await shutDown({ pid: file.pid, binaries, hasExited: async () => !(await isAlive()), log });
  } else {
    await removeStaleFiles(layout.cluster, file);
  }
}

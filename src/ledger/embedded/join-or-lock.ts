import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../errors.ts';
import type { Endpoint } from './endpoint.ts';
import type { FolderLayout } from './folder-layout.ts';
import {
  type FolderLock,
  type LockHolder,
  type LockRole,
  readLockHolder,
  tryLockFolder,
} from './folder-lock.ts';
import { readPassword } from './password.ts';
import { isPostmasterOf, readPostmasterFile } from './postmaster-file.ts';

/** A server that somebody else runs. */
export interface RunningServer {
  readonly endpoint: Endpoint;
  readonly password: string;
}

/** In this time a new holder of the lock has long put its name in the place of a dead one's. */
const NAME_SETTLES_MS = 250;

/**
 * Takes the data folder's lock or, for a guest, the running gateway's server, whichever can be had first.
 *
 * A guest never joins another guest, whose server goes when it goes; it waits for its turn.
 *
 * @throws {ConfigError} when a gateway holds the folder and this is another, or patience is at an end.
 */
export async function joinOrLock({
  layout,
  role,
  patienceMs,
}: {
  layout: FolderLayout;
  role: LockRole;
  patienceMs: number;
}): Promise<FolderLock | RunningServer> {
  const startedAt = performance.now();
  for (;;) {
    const lock = tryLockFolder(layout, role);
    if (lock !== undefined) return lock;
    const holder = await readLockHolder(layout);
    if (role === 'guest' && holder?.role === 'gateway') {
      const running = await findRunningServer(layout);
      if (running !== undefined) return running;
    }
    const isRefused = role === 'gateway' && holder?.role === 'gateway';
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > (isRefused ? NAME_SETTLES_MS : patienceMs)) throw inUse(layout, role, holder);
    await sleep(25);
  }
}

async function findRunningServer(layout: FolderLayout): Promise<RunningServer | undefined> {
  const file = await readPostmasterFile(layout.cluster);
  if (file?.endpoint === undefined || !file.ready) return undefined;
  const password = await readPassword(layout);
  const isRunning = await isPostmasterOf(layout.cluster, file, password);
  return isRunning ? { endpoint: file.endpoint, password } : undefined;
}

function inUse(layout: FolderLayout, role: LockRole, holder: LockHolder | undefined): ConfigError {
  const pid = holder === undefined ? '' : ` (pid ${holder.pid})`;
  if (holder?.role === 'guest') {
    return new ConfigError(
      `The data folder ${layout.dataDir} is in use by a Gesso command${pid} that does not end.`,
    );
  }
  if (role === 'guest') {
    return new ConfigError(
      `The Gesso gateway${pid} on the data folder ${layout.dataDir} has no database ready. Look at ${layout.log}.`,
    );
  }
  return new ConfigError(
    `The data folder ${layout.dataDir} is in use by another Gesso gateway${pid}. Start one gateway per data ` +
      'folder, or set DATABASE_URL to share one PostgreSQL among several.',
  );
}

import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the embedded server keeps what under the data folder. Absolute paths, symbolic links resolved. */
export interface FolderLayout {
  readonly dataDir: string;
  /** PostgreSQL's own folder. It appears by one rename once it is complete: if it is there, it is whole. */
  readonly cluster: string;
  /** The server's password on one line, mode 0600. */
  readonly password: string;
  /** The server's log; see `server-log.ts` for its bound. */
  readonly log: string;
  /** Locked for as long as its holder lives; see `folder-lock.ts`. */
  readonly lock: string;
  /** Who holds the lock, for messages. */
  readonly lockHolder: string;
}

/** Makes the data folder if it is missing, and names what is in it. */
export async function openDataFolder(dataDir: string): Promise<FolderLayout> {
  await mkdir(dataDir, { recursive: true });
  // Links are resolved because /proc tells a process's folder without them.
  const root = await realpath(dataDir);
  return {
    dataDir: root,
    cluster: join(root, 'postgres'),
    password: join(root, 'postgres-password'),
    log: join(root, 'postgres.log'),
    lock: join(root, 'postgres.lock'),
    lockHolder: join(root, 'postgres.lock-holder.json'),
  };
}

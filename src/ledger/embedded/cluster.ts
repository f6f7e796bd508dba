import { once } from 'node:events';
import { mkdtemp, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ConfigError } from '../../errors.ts';
import type { Binaries } from './binaries.ts';
import type { FolderLayout } from './folder-layout.ts';
import type { EmbeddedPostgresLog } from './log.ts';
import { ensurePassword, readPassword } from './password.ts';
import { giveToServerUser, type ServerUser, spawnAs } from './server-user.ts';
import { unlessMissing } from './system-error.ts';

/** The role that owns everything in the embedded database. */
export const DATABASE_USER = 'gesso';

/**
 * Makes PostgreSQL's folder where there is none, and sees that it belongs to the server's user.
 *
 * `initdb` works aside and its folder is renamed into place, so that one who was killed half-way leaves
 * nothing that could be taken for a database, and nothing that holds data is ever removed.
 *
 * @returns the password of the server.
 * @throws {ConfigError} when the folder holds something else, the password is lost, or `initdb` fails.
 */
export async function ensureCluster({
  layout,
  binaries,
  user,
  log,
}: {
  layout: FolderLayout;
  binaries: Binaries;
  user: ServerUser;
  log: EmbeddedPostgresLog;
}): Promise<string> {
  const entries = (await unlessMissing(readdir(layout.cluster))) ?? [];
  if (entries.includes('PG_VERSION')) {
    const password = await readPassword(layout);
    await giveToServerUser(user, layout.cluster);
    return password;
  }
  if (entries.length > 0) {
    throw new ConfigError(
      `${layout.cluster} holds no PostgreSQL database (there is no PG_VERSION), and is not empty. ` +
        'Move it away, or give Gesso another data folder.',
    );
  }
  await removeUnfinished(layout, log);
  const password = await ensurePassword(layout);
  await giveToServerUser(user, layout.password);
  const unfinished = await mkdtemp(`${layout.cluster}.unfinished-`);
  await giveToServerUser(user, unfinished);
  await runInitdb({ binaries, user, folder: unfinished, passwordFile: layout.password });
  await moveIntoPlace(unfinished, layout);
  return password;
}

async function runInitdb({
  binaries,
  user,
  folder,
  passwordFile,
}: {
  binaries: Binaries;
  user: ServerUser;
  folder: string;
  passwordFile: string;
}): Promise<void> {
  const settings = [
    `--pgdata=${folder}`,
    `--username=${DATABASE_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    // Said outright, or a machine without LANG gets SQL_ASCII. The builtin locale is the same everywhere, where
    // an operating system's may be missing, or sort differently after an upgrade; C exists on all of them.
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
  ];
  const child = spawnAs(user, binaries.initdb, settings, { stdio: ['ignore', 'ignore', 'pipe'] });
  const complaint = child.stderr === null ? '' : text(child.stderr);
  try {
    const [exitCode] = await once(child, 'exit');
    if (exitCode === 0) return;
  } catch (error) {
    throw new ConfigError(
      `PostgreSQL's initdb can't be run (${binaries.initdb}); its programs need glibc, which Alpine lacks. ` +
        'Set DATABASE_URL to a PostgreSQL server of your own.',
      { cause: error },
    );
  }
  throw new ConfigError(`PostgreSQL's initdb failed: ${(await complaint).trim()}`);
}

async function moveIntoPlace(unfinished: string, layout: FolderLayout): Promise<void> {
  await unlessMissing(rmdir(layout.cluster));
  await rename(unfinished, layout.cluster);
  // Windows can't open a folder, and keeps its order by itself.
  if (process.platform === 'win32') return;
  const folder = await open(layout.dataDir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Takes away what a killed start left; its initdb may still be writing there for a moment. */
async function removeUnfinished(layout: FolderLayout, log: EmbeddedPostgresLog): Promise<void> {
  const prefix = `${basename(layout.cluster)}.unfinished-`;
  for (const name of await readdir(layout.dataDir)) {
    if (!name.startsWith(prefix)) continue;
    const folder = join(layout.dataDir, name);
    try {
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    } catch (error) {
      log.warn(
        { folder, error },
        'a database folder left half-made by an earlier start could not be removed',
      );
    }
  }
}

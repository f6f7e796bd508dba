import { chownSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError } from '../../errors.ts';
import type { FolderLayout } from './folder-layout.ts';
import { errorMessage, unlessMissing } from './system-error.ts';

/** Whoever runs the server of a data folder: a gateway, or a command while no gateway runs. */
export type LockRole = 'gateway' | 'guest';

export interface LockHolder {
  readonly role: LockRole;
  readonly pid: number;
}

export interface FolderLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/** A lock that is garbage-collected is a lock that is lost. */
const held = new Set<DatabaseSync>();

/**
 * Takes the data folder for this process, or returns undefined where another holds it.
 *
 * The lock has to exist before any server does, to be taken by one of two that start at the same moment, and to
 * die with its holder, `kill -9` included. The kernel's file locks do that; Node offers them only by way of
 * SQLite, whose exclusive transaction is one, on every platform. Nothing is ever written to the file.
 *
 * @throws {ConfigError} when the file can't be opened or locked.
 */
export function tryLockFolder(layout: FolderLayout, role: LockRole): FolderLock | undefined {
  const file = openLockFile(layout);
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined;
    throw new ConfigError(`The data folder ${layout.dataDir} can't be locked: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  held.add(file);
  const holder: LockHolder = { role, pid: process.pid };
  writeFileSync(layout.lockHolder, JSON.stringify(holder));
  giveToFolderOwner(layout);
  return {
    release() {
      if (!held.delete(file)) return;
      rmSync(layout.lockHolder, { force: true });
      file.close();
    },
  };
}

/**
 * Who holds the lock, as far as is known: the word of a holder that was killed stays until the next one writes
 * its own, a moment after it took the lock.
 */
export async function readLockHolder(layout: FolderLayout): Promise<LockHolder | undefined> {
  const text = await unlessMissing(readFile(layout.lockHolder, 'utf8'));
  const match = /^\{"role":"(gateway|guest)","pid":(\d+)\}$/.exec(text ?? '');
  if (match === null) return undefined;
  return { role: match[1] === 'guest' ? 'guest' : 'gateway', pid: Number(match[2]) };
}

function openLockFile(layout: FolderLayout): DatabaseSync {
  try {
    return new DatabaseSync(layout.lock, { timeout: 0 });
  } catch (error) {
    throw new ConfigError(
      `The data folder ${layout.dataDir} can't be written by this user: ${errorMessage(error)}. ` +
        'Run every Gesso command as the user that owns the folder.',
      { cause: error },
    );
  }
}

/** Root in somebody's folder must not leave a lock there that its owner can't open afterwards. */
function giveToFolderOwner(layout: FolderLayout): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(layout.dataDir);
  for (const path of [layout.lock, layout.lockHolder]) chownSync(path, uid, gid);
}

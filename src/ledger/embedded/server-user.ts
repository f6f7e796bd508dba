import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chown, lchown, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/** As whom PostgreSQL runs. It refuses root, and wants its files to be its own. */
export interface ServerUser {
  readonly name: string;
  /** Put before the program's own command line. */
  readonly wrapper: readonly string[];
  /** Set where the process takes another identity than ours. */
  readonly ids: UserIds | undefined;
  /** Who has to own the server's files, as seen from here; undefined where that is sure to be us. */
  readonly owner: UserIds | undefined;
}

/** Starts a program as that user, with an environment that holds none of the gateway's secrets. */
export function spawnAs(
  user: ServerUser,
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const [command = program, ...rest] = [...user.wrapper, program, ...args];
  // Our own working folder may be closed to that user.
  return spawn(command, rest, { cwd: '/', ...options, ...user.ids, env: serverEnvironment() });
}

/** Gives a file, or a folder with all that is in it, to the server's user. */
export async function giveToServerUser(user: ServerUser, path: string): Promise<void> {
  if (user.owner === undefined) return;
  const { uid, gid } = user.owner;
  const before = await stat(path);
  if (before.uid === uid) return;
  if (before.isDirectory()) {
    for (const name of await readdir(path, { recursive: true })) await lchown(join(path, name), uid, gid);
  }
  // Last, so that one who was interrupted begins anew.
  await chown(path, uid, gid);
}

const PASSED_ON = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR'];

function serverEnvironment(): NodeJS.ProcessEnv {
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  // No PG* variable may bend the server's settings, and its messages are read here.
  return { ...Object.fromEntries(passedOn), LC_ALL: 'C', TZ: 'UTC' };
}

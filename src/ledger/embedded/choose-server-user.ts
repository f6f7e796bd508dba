import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { ConfigError } from '../../errors.ts';
import type { FolderLayout } from './folder-layout.ts';
import { type ServerUser, spawnAs, type UserIds } from './server-user.ts';
import { unlessMissing } from './system-error.ts';

/**
 * Chooses the first user as whom the server can run:
 * 1. not root: this one;
 * 2. the owner of the data, where that is not root;
 * 3. root under another number, in a user namespace: the files stay root's, and folders that only root may
 *    enter stay open. Docker forbids it by default;
 * 4. an unprivileged account, where it may enter the data folder.
 *
 * @param options.canRun whether the program runs as that user with the data folder open to it.
 * @throws {ConfigError} when there is none, with what to do.
 */
export async function chooseServerUser({
  layout,
  program,
  effectiveUserId = process.geteuid?.(),
  canRun = runsAs,
}: {
  layout: FolderLayout;
  program: string;
  effectiveUserId?: number | undefined;
  canRun?: (user: ServerUser, program: string, dataDir: string) => Promise<boolean>;
}): Promise<ServerUser> {
  const cluster = await unlessMissing(stat(layout.cluster));
  if (effectiveUserId !== 0) {
    if (effectiveUserId !== undefined && cluster !== undefined && cluster.uid !== effectiveUserId) {
      throw new ConfigError(
        `The database in ${layout.cluster} belongs to user ${cluster.uid}, and this is user ${effectiveUserId}. ` +
          'Run Gesso as the user that made it, or give it another data folder.',
      );
    }
    return { name: 'this user', wrapper: [], ids: undefined, owner: undefined };
  }
  const owner = cluster ?? (await stat(layout.dataDir));
  const candidates = [
    ...(owner.uid === 0 ? [] : [otherUser(`user ${owner.uid}`, owner)]),
    rootInUserNamespace(),
    ...(await unprivilegedAccounts()),
  ];
  for (const user of candidates) {
    if (await canRun(user, program, layout.dataDir)) return user;
  }
  throw new ConfigError(
    'PostgreSQL refuses to run as root, and no other way is open: user namespaces are forbidden here, and no ' +
      `unprivileged user may enter ${layout.dataDir} and run ${program}. ` +
      'Run Gesso as an ordinary user, or set DATABASE_URL.',
  );
}

const rootInUserNamespace = (): ServerUser => ({
  name: 'root in a user namespace',
  wrapper: ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'],
  ids: undefined,
  owner: { uid: 0, gid: process.getegid?.() ?? 0 },
});

const otherUser = (name: string, { uid, gid }: UserIds): ServerUser => ({
  name,
  wrapper: [],
  ids: { uid, gid },
  owner: { uid, gid },
});

async function unprivilegedAccounts(): Promise<ServerUser[]> {
  const accounts = (await unlessMissing(readFile('/etc/passwd', 'utf8'))) ?? '';
  return ['nobody', 'postgres'].flatMap((name) => {
    const match = new RegExp(`^${name}:[^:]*:([1-9]\\d*):(\\d+):`, 'm').exec(accounts);
    return match === null ? [] : [otherUser(name, { uid: Number(match[1]), gid: Number(match[2]) })];
  });
}

async function runsAs(user: ServerUser, program: string, dataDir: string): Promise<boolean> {
  // `id` because initdb looks up the name of its user, and fails without one.
  const script = 'cd "$1" && id -un && exec "$2" --version';
  const child = spawnAs(user, '/bin/sh', ['-c', script, 'sh', dataDir, program], { stdio: 'ignore' });
  try {
    const [exitCode] = await once(child, 'exit');
    return exitCode === 0;
  } catch {
    // `once` rejects with the child's `error` event: there is no unshare, or the identity may not be taken.
    return false;
  }
}

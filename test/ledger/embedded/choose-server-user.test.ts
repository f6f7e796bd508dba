import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/errors.ts';
import { chooseServerUser } from '../../../src/ledger/embedded/choose-server-user.ts';
import { startEmbeddedPostgres } from '../../../src/ledger/embedded/embedded-postgres.ts';
import { openDataFolder } from '../../../src/ledger/embedded/folder-layout.ts';
import { query, temporaryFolder } from './support/folders.ts';
import { processesOn, startGatewayProcess } from './support/processes.ts';

const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.geteuid?.() === 0;
const hasNamespaces =
  isRoot &&
  spawnSync('unshare', ['--user', `--map-user=${NOBODY.uid}`, `--map-group=${NOBODY.gid}`, 'true']).status ===
    0;
/** A clone in a folder that only root may enter is closed to nobody. */
const nobodyRunsNode =
  isRoot &&
  spawnSync(process.execPath, ['--check', import.meta.filename], { ...NOBODY, cwd: '/' }).status === 0;

const program = 'postgres';

describe('chooseServerUser', () => {
  it('is this user where that is not root, and nothing is tried', async () => {
    const layout = await openDataFolder(await temporaryFolder());
    const canRun = async () => {
      throw new Error('tried');
    };
    const user = await chooseServerUser({ layout, program, effectiveUserId: 1000, canRun });
    expect(user).toEqual({ name: 'this user', wrapper: [], ids: undefined, owner: undefined });
  });

  it("refuses another user's database, where this one is not root", async () => {
    const layout = await openDataFolder(await temporaryFolder());
    await mkdir(layout.cluster);
    const { uid } = await stat(layout.cluster);
    const choice = chooseServerUser({ layout, program, effectiveUserId: uid + 1 });
    await expect(choice).rejects.toBeInstanceOf(ConfigError);
    await expect(choice).rejects.toThrow(`belongs to user ${uid}, and this is user ${uid + 1}`);
  });

  it('tries a user namespace first for root, then the unprivileged accounts', async () => {
    const layout = await openDataFolder(await temporaryFolder());
    const tried: string[] = [];
    const choice = chooseServerUser({
      layout,
      program,
      effectiveUserId: 0,
      canRun: async ({ name }) => {
        tried.push(name);
        return false;
      },
    });
    await expect(choice).rejects.toBeInstanceOf(ConfigError);
    await expect(choice).rejects.toThrow('Run Gesso as an ordinary user, or set DATABASE_URL.');
    expect(tried.filter((name) => !/^(user \d+|postgres)$/.test(name))).toEqual([
      'root in a user namespace',
      'nobody',
    ]);
  });
});

describe.skipIf(!hasNamespaces)(
  'as root, with user namespaces (skipped unless root, and where forbidden)',
  () => {
    it('runs in a folder that none but root may enter, and gives nothing away', async () => {
      const parent = await temporaryFolder();
      const dataDir = join(parent, 'with a space, and a comma');
      await mkdir(dataDir, { mode: 0o700 });
      const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
      expect(await query(postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      for (const path of [
        parent,
        dataDir,
        join(dataDir, 'postgres'),
        join(dataDir, 'postgres', 'PG_VERSION'),
      ]) {
        expect((await stat(path)).uid).toBe(0);
      }
      await postgres.close();
      expect(await processesOn(dataDir)).toEqual([]);
    });
  },
);

describe.skipIf(!nobodyRunsNode)(
  'as an ordinary user (skipped unless root, and where nobody may not enter)',
  () => {
    it('runs as that user', async () => {
      const dataDir = await temporaryFolder();
      await chown(dataDir, NOBODY.uid, NOBODY.gid);
      const gateway = await startGatewayProcess(dataDir, 'gateway', { ...NOBODY, cwd: '/' });
      expect(gateway.refusal).toBeUndefined();
      expect(await serverUserIds(dataDir)).toEqual([NOBODY.uid]);
      await gateway.close();
    });

    it("leaves that user's folder fit for use when root uses it once", async () => {
      const dataDir = await temporaryFolder();
      await chown(dataDir, NOBODY.uid, NOBODY.gid);
      const byRoot = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
      expect(await serverUserIds(dataDir)).toEqual([NOBODY.uid]);
      await byRoot.close();
      const gateway = await startGatewayProcess(dataDir, 'gateway', { ...NOBODY, cwd: '/' });
      expect(gateway.refusal).toBeUndefined();
      await gateway.close();
    });
  },
);

describe.skipIf(!nobodyRunsNode)('as root, without user namespaces (skipped unless root)', () => {
  it('runs as nobody, and opens a database that was made as root in a namespace', async () => {
    const dataDir = await temporaryFolder();
    await chmod(dataDir, 0o755);
    const first = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await query(first.connection, 'CREATE TABLE kept AS SELECT 1 AS id');
    await first.close();

    const second = await startGatewayProcess(dataDir, 'gateway', await withoutNamespaces());
    if (second.connection === undefined) throw new Error(second.refusal);
    expect(await query(second.connection, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
    expect(await serverUserIds(dataDir)).toEqual([NOBODY.uid]);
    await second.killHard();

    // Another gateway finds that server, although it runs as somebody else, and goes on as the same user.
    const third = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(await query(third.connection, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
    expect(await serverUserIds(dataDir)).toEqual([NOBODY.uid]);
    await third.close();
  });

  it('makes a new database as nobody', async () => {
    const dataDir = await temporaryFolder();
    await chmod(dataDir, 0o755);
    const gateway = await startGatewayProcess(dataDir, 'gateway', await withoutNamespaces());
    if (gateway.connection === undefined) throw new Error(gateway.refusal);
    expect(await query(gateway.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await gateway.close();
    expect(await processesOn(dataDir)).toEqual([]);
  });

  it('says what to do where nobody may not enter', async () => {
    const dataDir = await temporaryFolder();
    const gateway = await startGatewayProcess(dataDir, 'gateway', await withoutNamespaces());
    expect(gateway.refusal).toMatch(/^PostgreSQL refuses to run as root.*or set DATABASE_URL\.$/);
    await gateway.close();
  });
});

/** An environment in which there is no `unshare` to be found. */
async function withoutNamespaces(): Promise<{ env: NodeJS.ProcessEnv }> {
  const programs = await temporaryFolder();
  await chmod(programs, 0o755);
  const id = ['/usr/bin/id', '/bin/id'].find((path) => spawnSync(path).status === 0) ?? '/usr/bin/id';
  await symlink(id, join(programs, 'id'));
  return { env: { PATH: programs } };
}

/** The users of the postmaster and its children. */
async function serverUserIds(dataDir: string): Promise<number[]> {
  const statuses = await Promise.all(
    (await processesOn(dataDir)).map((pid) => readFile(`/proc/${pid}/status`, 'utf8')),
  );
  const servers = statuses.filter((status) => status.startsWith('Name:\tpostgres\n'));
  return [...new Set(servers.map((status) => Number(/^Uid:\t(\d+)/m.exec(status)?.[1])))];
}

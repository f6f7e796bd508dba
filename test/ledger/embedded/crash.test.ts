import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../../src/errors.ts';
import { startEmbeddedPostgres } from '../../../src/ledger/embedded/embedded-postgres.ts';
import { query, temporaryFolder } from './support/folders.ts';
import { processesOn, spawnGateway, startGatewayProcess } from './support/processes.ts';

const strangers: ChildProcess[] = [];
afterEach(() => {
  for (const stranger of strangers.splice(0)) stranger.kill('SIGKILL');
});

/** A live process that is no PostgreSQL. */
async function stranger(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  strangers.push(child);
  await once(child, 'spawn');
  return child.pid ?? 0;
}

const serverPid = async (dataDir: string): Promise<number> =>
  Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);

describe('after a kill -9 of the gateway', () => {
  it('stops the server that was left over, and keeps what was committed', async () => {
    const dataDir = await temporaryFolder();
    const gateway = await startGatewayProcess(dataDir);
    if (gateway.connection === undefined) throw new Error(gateway.refusal);
    await query(gateway.connection, 'CREATE TABLE kept AS SELECT 1 AS id');
    const leftover = await serverPid(dataDir);
    await gateway.killHard();
    expect(await processesOn(dataDir)).toContain(leftover);

    const next = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(await processesOn(dataDir)).not.toContain(leftover);
    expect(await query(next.connection, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
    await next.close();
    expect(await processesOn(dataDir)).toEqual([]);
  });

  it('starts anew at whatever moment of the first start it came', async () => {
    const dataDir = await temporaryFolder();
    for (const afterMs of [150, 300, 450, 600]) {
      const child = spawnGateway(dataDir);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const gateway = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(await query(gateway.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await gateway.close();
    const names = await readdir(dataDir);
    expect(names.filter((name) => name.includes('unfinished'))).toEqual([]);
  });

  it('starts when the server was killed with it', async () => {
    const dataDir = await temporaryFolder();
    const gateway = await startGatewayProcess(dataDir);
    if (gateway.connection === undefined) throw new Error(gateway.refusal);
    await query(gateway.connection, 'CREATE TABLE kept AS SELECT 1 AS id');
    await gateway.killHard();
    process.kill(await serverPid(dataDir), 'SIGKILL');
    const next = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(await query(next.connection, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
    await next.close();
  });
});

describe('Ctrl-C', () => {
  it('reaches the gateway and not its server, which has to last while the gateway drains', async () => {
    const dataDir = await temporaryFolder();
    const gateway = await startGatewayProcess(dataDir, 'gateway', { detached: true });
    if (gateway.connection === undefined) throw new Error(gateway.refusal);
    const ended = once(gateway.child, 'exit');
    // A terminal signals the whole process group.
    process.kill(-(gateway.child.pid ?? 0), 'SIGINT');
    await ended;
    expect(await query(gateway.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
  });
});

/** Whether there is such a process, ours or another user's. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

describe('a stale postmaster.pid', () => {
  it.each([
    ['this process', async () => process.pid],
    ['another process', stranger],
    ['process 1', async () => 1],
  ])(
    'whose pid lives on as %s does not hinder the start, nor is that process touched',
    async (_, takePid) => {
      const dataDir = await temporaryFolder();
      const cluster = join(dataDir, 'postgres');
      await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
      const pid = await takePid();
      const lines = [pid, cluster, 1_700_000_000, 5432, '.', '', '   123456    123456', 'ready   '];
      await writeFile(join(cluster, 'postmaster.pid'), lines.map((line) => `${line}\n`).join(''));
      await writeFile(join(cluster, '.s.PGSQL.5432.lock'), lines.map((line) => `${line}\n`).join(''));

      const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
      expect(await query(postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await postgres.close();
      expect(isAlive(pid)).toBe(true);
    },
  );

  it('that is empty or names a pid that is gone does not hinder it either', async () => {
    const dataDir = await temporaryFolder();
    await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
    for (const content of ['', '4194303\n']) {
      await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), content);
      await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
    }
  });
});

describe('the folder of the cluster', () => {
  it('is made when it is there but empty', async () => {
    const dataDir = await temporaryFolder();
    await mkdir(join(dataDir, 'postgres'));
    await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
    expect(await readdir(join(dataDir, 'postgres'))).toContain('PG_VERSION');
  });

  it('is neither used nor removed when it holds something else', async () => {
    const dataDir = await temporaryFolder();
    const precious = join(dataDir, 'postgres', 'precious');
    await mkdir(join(dataDir, 'postgres'));
    await writeFile(precious, 'data');
    const start = startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await expect(start).rejects.toBeInstanceOf(ConfigError);
    await expect(start).rejects.toThrow('holds no PostgreSQL database');
    expect(await readFile(precious, 'utf8')).toBe('data');
  });

  it('is refused when its password is lost', async () => {
    const dataDir = await temporaryFolder();
    await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
    await rm(join(dataDir, 'postgres-password'));
    await expect(startEmbeddedPostgres({ dataDir, role: 'gateway' })).rejects.toThrow('Restore the file');
  });
});

describe('a server that ends under the gateway', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('by %s comes back where it was', async (signal) => {
    const dataDir = await temporaryFolder();
    const warnings: string[] = [];
    const log = { info: () => {}, warn: (_: object, message: string) => warnings.push(message) };
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway', log });
    const pool = new pg.Pool({ ...postgres.connection });
    // An idle connection that is cut reports it here.
    pool.on('error', () => {});
    await pool.query('CREATE TABLE kept AS SELECT 1 AS id');
    process.kill(await serverPid(dataDir), signal);
    await vi.waitFor(
      async () => {
        expect(warnings).toContain('the embedded PostgreSQL ended by itself; starting it again');
        expect((await pool.query('SELECT id FROM kept')).rows).toEqual([{ id: 1 }]);
      },
      { timeout: 5_000, interval: 50 },
    );
    await pool.end();
    await postgres.close();
    expect(await processesOn(dataDir)).toEqual([]);
  });
});

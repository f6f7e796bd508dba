import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../src/ledger/embedded/embedded-postgres.ts';
import { query, temporaryFolder } from './support/folders.ts';
import { processesOn, startGatewayProcess } from './support/processes.ts';

describe('the embedded PostgreSQL', () => {
  it('makes a database in an empty folder, and finds its data at the next start', async () => {
    const dataDir = join(await temporaryFolder(), 'made', 'on the way');
    const first = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await query(first.connection, `CREATE TABLE pictures AS SELECT '未来感 🎨' AS prompt`);
    await first.close();

    const second = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    const rows = await query(second.connection, 'SELECT * FROM pictures');
    await second.close();
    expect(rows).toEqual([{ prompt: '未来感 🎨' }]);
    expect(second.connection).toEqual(first.connection);
  });

  it('leaves no process when it is closed, once or twice', async () => {
    const dataDir = await temporaryFolder();
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(await processesOn(dataDir)).not.toEqual([]);
    await Promise.all([postgres.close(), postgres.close()]);
    expect(await processesOn(dataDir)).toEqual([]);
  });

  it('cuts nobody off who was just leaving', async () => {
    const dataDir = await temporaryFolder();
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    const pool = new pg.Pool({ ...postgres.connection });
    const errors: Error[] = [];
    pool.on('error', (error) => errors.push(error));
    await Promise.all(Array.from({ length: 10 }, () => pool.query('SELECT pg_sleep(0.02)')));
    await pool.end();
    await postgres.close();
    expect(errors).toEqual([]);
  });

  it('closes under those who stay', async () => {
    const dataDir = await temporaryFolder();
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    const client = new pg.Client({ ...postgres.connection });
    const cut = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();
    await postgres.close();
    expect((await cut).message).toContain('terminating connection');
    expect(await processesOn(dataDir)).toEqual([]);
  });

  it('runs durable, in UTF-8, with its small settings', async () => {
    const dataDir = await temporaryFolder();
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'listen_addresses'];
    const [row] = await query(
      postgres.connection,
      `SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`)}`,
    );
    await postgres.close();
    expect(row).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      data_checksums: 'on',
      listen_addresses: '',
    });
  });

  it('asks for a password, which it keeps in a file of mode 0600', async () => {
    const dataDir = await temporaryFolder();
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    const path = join(dataDir, 'postgres-password');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toBe(`${postgres.connection.password}\n`);
    expect(postgres.connection.password.length).toBeGreaterThanOrEqual(32);
    await expect(query({ ...postgres.connection, password: 'guess' }, 'SELECT 1')).rejects.toThrow(
      'password authentication failed',
    );
    await postgres.close();
  });

  it('is UTF-8 where the environment names no language', async () => {
    const dataDir = await temporaryFolder();
    const gateway = await startGatewayProcess(dataDir, 'gateway', { env: {} });
    if (gateway.connection === undefined) throw new Error(gateway.refusal);
    const rows = await query(
      gateway.connection,
      `SELECT current_setting('server_encoding') AS encoding, datlocprovider AS provider, datlocale AS locale,
        upper('é') AS upper FROM pg_database WHERE datname = current_database()`,
    );
    await gateway.close();
    expect(rows).toEqual([{ encoding: 'UTF8', provider: 'b', locale: 'C.UTF-8', upper: 'É' }]);
  });

  it('listens on loopback where the path is too long for a socket', async () => {
    const dataDir = join(await temporaryFolder(), 'deep'.repeat(20), 'deeper'.repeat(20));
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(postgres.connection.host).toBe('127.0.0.1');
    const rows = await query(postgres.connection, 'SELECT inet_server_addr()::text AS address');
    await postgres.close();
    expect(rows).toEqual([{ address: '127.0.0.1/32' }]);
    expect(await processesOn(dataDir)).toEqual([]);
  });

  it('listens on loopback where a socket can not be made', async () => {
    const dataDir = await temporaryFolder();
    await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
    await mkdir(join(dataDir, 'postgres', '.s.PGSQL.5432', 'in the way'), { recursive: true });
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    expect(postgres.connection.host).toBe('127.0.0.1');
    expect(await query(postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.close();
  });

  it('says what PostgreSQL said when it does not start', async () => {
    const dataDir = await temporaryFolder();
    await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
    await chmod(join(dataDir, 'postgres'), 0o777);
    const start = startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await expect(start).rejects.toThrow(/did not start.*invalid permissions/s);
    await chmod(join(dataDir, 'postgres'), 0o700);
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await postgres.close();
  });
});

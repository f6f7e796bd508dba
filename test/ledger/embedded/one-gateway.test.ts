import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/errors.ts';
import { startEmbeddedPostgres } from '../../../src/ledger/embedded/embedded-postgres.ts';
import { query, temporaryFolder } from './support/folders.ts';
import { processesOn, startGatewayProcess } from './support/processes.ts';

describe('one gateway per data folder', () => {
  it('refuses a second one while the first lives, and lets it in afterwards', async () => {
    const dataDir = await temporaryFolder();
    const first = await startGatewayProcess(dataDir);
    const second = startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await expect(second).rejects.toBeInstanceOf(ConfigError);
    await expect(second).rejects.toThrow(
      `The data folder ${dataDir} is in use by another Gesso gateway (pid ${first.child.pid}). ` +
        'Start one gateway per data folder, or set DATABASE_URL',
    );
    await first.close();
    const third = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await third.close();
  });

  it('refuses a second one in the same process', async () => {
    const dataDir = await temporaryFolder();
    const first = await startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await expect(startEmbeddedPostgres({ dataDir, role: 'gateway' })).rejects.toThrow('is in use');
    expect(await query(first.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await first.close();
  });

  it('lets in one of three that start at the same moment on an empty folder', async () => {
    const dataDir = await temporaryFolder();
    const gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(dataDir)));
    const [winner, ...others] = gateways.flatMap(({ connection }) => connection ?? []);
    expect(others).toEqual([]);
    expect(gateways.filter(({ refusal }) => refusal?.includes('is in use by another'))).toHaveLength(2);
    if (winner === undefined) throw new Error('none was let in');
    expect(await query(winner, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await Promise.all(gateways.map((gateway) => gateway.close()));
    expect(await processesOn(dataDir)).toEqual([]);
  });

  it('says so when the lock can not be opened', async () => {
    const dataDir = await temporaryFolder();
    await mkdir(join(dataDir, 'postgres.lock'));
    const start = startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await expect(start).rejects.toBeInstanceOf(ConfigError);
    await expect(start).rejects.toThrow(`The data folder ${dataDir} can't be written by this user`);
  });
});

describe('a guest', () => {
  it('joins the server of a running gateway, and leaves it running', async () => {
    const dataDir = await temporaryFolder();
    const gateway = await startGatewayProcess(dataDir);
    const guest = await startEmbeddedPostgres({ dataDir, role: 'guest' });
    expect(guest.connection).toEqual(gateway.connection);
    await guest.close();
    expect(await query(guest.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await gateway.close();
  });

  it('waits for a gateway that is just starting', async () => {
    const dataDir = await temporaryFolder();
    const starting = startEmbeddedPostgres({ dataDir, role: 'gateway' });
    const [gateway, guest] = await Promise.all([
      starting,
      // The lock is taken before anything that takes time.
      new Promise((resolve) => setTimeout(resolve, 100)).then(() =>
        startEmbeddedPostgres({ dataDir, role: 'guest' }),
      ),
    ]);
    expect(guest.connection).toEqual(gateway.connection);
    await gateway.close();
  });

  it('runs a server of its own where none runs, for which a gateway and another guest wait', async () => {
    const dataDir = await temporaryFolder();
    const guest = await startEmbeddedPostgres({ dataDir, role: 'guest' });
    await query(guest.connection, 'CREATE TABLE keys AS SELECT 1 AS id');
    const waiting = startEmbeddedPostgres({ dataDir, role: 'gateway' });
    await expect(startEmbeddedPostgres({ dataDir, role: 'guest', patienceMs: 50 })).rejects.toThrow(
      `is in use by a Gesso command (pid ${process.pid}) that does not end`,
    );
    await guest.close();
    const gateway = await waiting;
    expect(await query(gateway.connection, 'SELECT id FROM keys')).toEqual([{ id: 1 }]);
    await gateway.close();
    expect(await processesOn(dataDir)).toEqual([]);
  });
});

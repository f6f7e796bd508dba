import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { createTestDatabase } from './database.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from './gateway.ts';

export interface SharingGateways {
  readonly gateways: readonly TestGateway[];
  /** The upstream of all is the first one's. */
  readonly first: TestGateway;
  /** One SQL statement against the ledger that they share. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Stops one of them, as at the end of its life. */
  stop(gateway: TestGateway): Promise<void>;
  close(): Promise<void>;
}

/** Several gateways in this process, on one database, one storage and one upstream. */
export async function startSharingGateways(
  count: number,
  {
    environment = {},
    upstream = {},
    ...options
  }: Omit<TestGatewayOptions, 'upstream'> & { upstream?: SandboxOptions } = {},
): Promise<SharingGateways> {
  const database = await createTestDatabase();
  const storage = await mkdtemp(join(tmpdir(), 'gesso-shared-'));
  const shared = { DATABASE_URL: database.url, GESSO_STORAGE_URL: storage, ...environment };
  const first = await startTestGateway({ ...options, environment: shared, upstream });
  const others = Array.from({ length: count - 1 }, () =>
    startTestGateway({ ...options, environment: { ...shared, BETTERTOKEN_BASE_URL: first.sandbox.baseUrl } }),
  );
  const gateways = [first, ...(await Promise.all(others))];
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  // Dropping the database may cut a connection that is still closing.
  pool.on('error', () => undefined);
  const stopped = new Set<TestGateway>();
  async function stop(gateway: TestGateway): Promise<void> {
    if (stopped.has(gateway)) return;
    stopped.add(gateway);
    await gateway.close();
  }
  return {
    gateways,
    first,
    stop,
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      return (await pool.query<Row>(text, [...values])).rows;
    },
    async close() {
      // The first one's upstream serves them all, so it goes last.
      for (const gateway of gateways.toReversed()) await stop(gateway);
      await pool.end();
      await database.drop();
      await rm(storage, { recursive: true, force: true });
    },
  };
}

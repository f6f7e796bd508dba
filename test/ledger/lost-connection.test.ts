import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isConnectionError, openDatabase } from '../../src/ledger/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('a connection that is lost', () => {
  it('between two statements of a transaction fails the transaction, and not the process', async () => {
    const lost = Promise.withResolvers<Error>();
    const connection = { connectionString: database.url };
    const { db } = openDatabase({ connection, poolSize: 2, onLostConnection: lost.resolve });
    const transaction = db.transaction().execute(async (own) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(own);
      await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(db);
      // Nobody asks anything of it now, so that only its own event tells.
      await lost.promise;
      await sql`select 1`.execute(own);
    });
    await expect(transaction).rejects.toSatisfy(isConnectionError);
    expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
    await db.destroy();
  });

  it('because its transaction stood still holds its locks no longer', async () => {
    const { db } = openDatabase({
      connection: { connectionString: database.url },
      idleInTransactionMs: 100,
      onLostConnection: () => undefined,
    });
    const frozen = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const transaction = db.transaction().execute(async (own) => {
      await sql`select pg_advisory_xact_lock(1)`.execute(own);
      taken.resolve();
      await frozen.promise;
      await sql`select 1`.execute(own);
    });
    const ended = expect(transaction).rejects.toBeDefined();
    await taken.promise;
    await db.transaction().execute((own) => sql`select pg_advisory_xact_lock(1)`.execute(own));
    frozen.resolve();
    await ended;
    await db.destroy();
  });
});

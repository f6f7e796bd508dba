import { afterEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/ledger/database.ts';
import { migrate } from '../../src/ledger/migrate.ts';
import { openQueue } from '../../src/ledger/queue.ts';
import { createTestDatabase } from '../support/database.ts';

const REPLICAS = 5;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Dropping the database may cut a connection that is still closing. */
const ignored = () => undefined;
const thrown = (error: unknown): never => {
  throw error;
};

describe('migrate', () => {
  it(`lets ${REPLICAS} replicas start together on one empty database, their queues too`, async () => {
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const replicas = Array.from({ length: REPLICAS }, () =>
      openDatabase({
        connection: { connectionString: database.url },
        poolSize: 3,
        onLostConnection: ignored,
      }),
    );
    closers.push(
      ...replicas.map(
        ({ db }) =>
          () =>
            db.destroy(),
      ),
    );

    const queues = await Promise.all(
      replicas.map(async ({ db, pool }) => {
        await migrate(db);
        const queue = await openQueue({ pool, heartbeatSeconds: 10, expireInSeconds: 60, onError: thrown });
        closers.push(() => queue.close());
        await queue.serve(['made-up']);
        return queue;
      }),
    );

    for (const { pool } of replicas) {
      const { rows } = await pool.query('select name from gesso_migrations order by name');
      expect(rows).toEqual([
        { name: '0001-ledger' },
        { name: '0002-after-the-caller' },
        { name: '0003-routes' },
        { name: '0004-audit-sinks' },
      ]);
    }
    for (const queue of queues) expect(await queue.fetch('made-up', 1)).toEqual([]);
  });

  it('leaves alone what is there already', async () => {
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const { db, pool } = openDatabase({
      connection: { connectionString: database.url },
      onLostConnection: ignored,
    });
    closers.push(() => db.destroy());
    await migrate(db);
    await pool.query(
      `insert into clients (id, name, created_at) values (gen_random_uuid(), 'somebody', now())`,
    );
    await migrate(db);
    expect((await pool.query('select name from clients')).rows).toEqual([{ name: 'somebody' }]);
  });

  it('starts on a database that a later version has brought on, and leaves it there', async () => {
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const { db, pool } = openDatabase({
      connection: { connectionString: database.url },
      onLostConnection: ignored,
    });
    closers.push(() => db.destroy());
    await migrate(db);
    await pool.query('alter table generations add column of_the_next_version text');
    await pool.query(`insert into gesso_migrations values ('0099-next', '2030-01-01T00:00:00Z')`);
    await migrate(db);
    const { rows } = await pool.query('select name from gesso_migrations order by name desc limit 1');
    expect(rows).toEqual([{ name: '0099-next' }]);
  });

  it('tells what went wrong where it may not', async () => {
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const { db, pool } = openDatabase({
      connection: { connectionString: database.url },
      onLostConnection: ignored,
    });
    closers.push(() => db.destroy());
    await pool.query('create table clients (id int)');
    await expect(migrate(db)).rejects.toThrow('"clients" already exists');
  });
});

import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from './database.ts';

describe('createTestDatabase', () => {
  it('gives each caller an empty database of its own', async () => {
    const [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    const pool = new pg.Pool({ connectionString: first.url });
    await pool.query('CREATE TABLE mine (id int)');
    await pool.end();
    const client = new pg.Client({ connectionString: second.url });
    await client.connect();
    const { rows } = await client.query(`SELECT to_regclass('mine') AS mine`);
    await client.end();
    expect(rows).toEqual([{ mine: null }]);
    await Promise.all([first.drop(), second.drop()]);
  });

  it('is gone after drop, also for those who are still connected', async () => {
    const database = await createTestDatabase();
    const client = new pg.Client({ connectionString: database.url });
    const cut = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();
    await database.drop();
    expect((await cut).message).toContain('terminating connection');
    const late = new pg.Client({ connectionString: database.url });
    await expect(late.connect()).rejects.toThrow('does not exist');
  });
});

import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHANNELS, type Notifications, openNotifications } from '../../src/ledger/notifications.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let admin: pg.Pool;
let notifications: Notifications;
let errors: unknown[];
beforeEach(async () => {
  database = await createTestDatabase();
  admin = new pg.Pool({ connectionString: database.url, max: 1 });
  // Dropping the database may cut a connection that is still closing.
  admin.on('error', () => undefined);
  errors = [];
  notifications = await open();
});
afterEach(async () => {
  await notifications.close();
  await admin.end();
  await database.drop();
});

const open = () =>
  openNotifications({
    connection: { connectionString: database.url },
    onError: (error) => void errors.push(error),
    reconnectDelayMs: 10,
  });
const notify = (channel: string, payload: string) =>
  admin.query('select pg_notify($1, $2)', [channel, payload]);
const databaseName = () => new URL(database.url).pathname.slice(1);
/** Ends the LISTEN connection from the server's side, as a restart or a failover does. */
const cut = (through: pg.Pool | pg.Client = admin) =>
  through.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'gesso-listen' and datname = $1`,
    [databaseName()],
  );
const toBe = (listening: boolean) =>
  expect.poll(() => notifications.listening, { interval: 5 }).toBe(listening);

describe('notifications', () => {
  it('reach whoever listens on the channel, with their payload, and nobody else', async () => {
    const told: Record<string, string[]> = { jobs: [], generations: [], again: [] };
    notifications.on(CHANNELS.jobs, (payload) => told.jobs?.push(payload));
    notifications.on(CHANNELS.generations, (payload) => told.generations?.push(payload));
    notifications.on(CHANNELS.generations, (payload) => told.again?.push(payload));
    await notify(CHANNELS.jobs, '');
    await notify(CHANNELS.keys, 'nobody cares');
    await notify('another_channel', 'nobody hears');
    await notify(CHANNELS.generations, 'id-1');
    await expect.poll(() => told.again).toEqual(['id-1']);
    expect(told).toEqual({ jobs: [''], generations: ['id-1'], again: ['id-1'] });
  });

  it('say when the connection is lost, and when it is back; then they come again', async () => {
    const course: string[] = [];
    notifications.onLoss(() => course.push(`lost, listening: ${notifications.listening}`));
    notifications.onResume(() => course.push(`back, listening: ${notifications.listening}`));
    notifications.on(CHANNELS.generations, (payload) => course.push(payload));
    for (const id of ['id-1', 'id-2']) {
      await cut();
      await expect.poll(() => course.at(-1)).toBe('back, listening: true');
      await notify(CHANNELS.generations, id);
      await expect.poll(() => course.at(-1)).toBe(id);
    }
    const once = ['lost, listening: false', 'back, listening: true'];
    expect(course).toEqual([...once, 'id-1', ...once, 'id-2']);
    expect(errors.length).toBeGreaterThanOrEqual(2);
  });

  it('come back after the server refused them for a while', async () => {
    const url = new URL(database.url);
    url.pathname = '/postgres';
    const server = new pg.Client({ connectionString: url.href });
    await server.connect();
    await server.query(`alter database ${databaseName()} with allow_connections false`);
    await cut(server);
    await toBe(false);
    const failures = errors.length;
    await expect.poll(() => errors.length).toBeGreaterThan(failures + 2);
    await server.query(`alter database ${databaseName()} with allow_connections true`);
    await server.end();
    await toBe(true);
    expect(String(errors.at(-1))).toContain('not currently accepting connections');
  });

  it('stop for good when they are closed, also while they are away', async () => {
    await cut();
    await toBe(false);
    await notifications.close();
    expect(notifications.listening).toBe(false);
    await expect
      .poll(async () => {
        const { rows } = await admin.query(
          `select 1 from pg_stat_activity where application_name = 'gesso-listen' and datname = current_database()`,
        );
        return rows.length;
      })
      .toBe(0);
  });

  it('fail at the start where the database is not there', async () => {
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    const opening = openNotifications({ connection: { connectionString: url.href }, onError: () => {} });
    await expect(opening).rejects.toThrow('does not exist');
  });
});

import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningCommand, startCommand } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createGraphqlClient } from '../support/graphql-client.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
/** Waits for what other tests on the same server hold up. */
const POLL = { timeout: 30_000, interval: 20 };

let database: TestDatabase;
let folder: string;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  pool.on('error', () => undefined);
  folder = await mkdtemp(join(tmpdir(), 'gesso-audit-kill-'));
  // A sink that waits for the disk.
  const example = fileURLToPath(new URL('../../examples/audit-to-file', import.meta.url));
  await cp(example, folder, { recursive: true, filter: (path) => !path.includes('node_modules') });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** The ids of the lines that are whole. */
async function written(): Promise<string[]> {
  const text = await readFile(join(folder, 'audit.ndjson'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { id: string }).id);
}
const trail = async () =>
  (await pool.query<{ id: string }>('select id from audit_events order by tx, id')).rows.map(({ id }) => id);

async function start(): Promise<{ gateway: RunningCommand; url: string }> {
  const gateway = startCommand(['start'], {
    cwd: folder,
    environment: {
      PORT: '0',
      LOG_LEVEL: 'silent',
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      GESSO_ADMIN_KEY: ADMIN_KEY,
    },
    timeoutMs: 120_000,
  });
  const [, url = ''] = await gateway.untilMatch(/is ready: (\S+)\/graphql\n/);
  return { gateway, url };
}

/** Asks for images whose answers may never come. */
function ask(url: string, count: number): void {
  const client = createGraphqlClient(() => url, ADMIN_KEY);
  for (let index = 0; index < count; index += 1) {
    client.generateImage({ prompt: `boat ${index}` }).catch(() => undefined);
  }
}

describe('an audit sink of a gateway that is killed', () => {
  it('has every line in the end, in order', async () => {
    // More and more lines are there when the end comes: between the first and the last of a few generations.
    for (const lines of [1, 8, 20]) {
      const { gateway, url } = await start();
      ask(url, 5);
      await expect.poll(async () => (await written()).length, POLL).toBeGreaterThanOrEqual(lines);
      gateway.kill('SIGKILL');
      await gateway.finished;
    }
    const { gateway, url } = await start();
    ask(url, 1);
    await expect
      .poll(async () => {
        const expected = await trail();
        return expected.length > 20 && isDeepStrictEqual([...new Set(await written())], expected);
      }, POLL)
      .toBe(true);
    gateway.kill('SIGTERM');
    expect(await gateway.finished).toMatchObject({ code: 0 });
  }, 180_000);
});

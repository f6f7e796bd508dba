import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicIdOf } from '../../src/ledger/api-keys.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createGraphqlClient } from '../support/graphql-client.ts';

const VIEWER = '{ viewer { client { name } scopes quota { limit } } }';

describe('gesso keys, beside a gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  const keys = (...args: string[]) =>
    runCommand(['keys', ...args], {
      cwd: gateway.dataDir,
      environment: {
        DATABASE_URL: gateway.databaseUrl,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_DATA_DIR: gateway.dataDir,
      },
    });
  const caller = (secret: string) => createGraphqlClient(() => gateway.url, secret);
  /** The line of a key in the list, cell by cell. */
  const listed = async (publicId: string) => {
    const { code, stdout } = await keys('list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^KEY +CLIENT +SCOPES +IMAGES\/DAY +CREATED +LAST USED +STATE\n/);
    const line = stdout.split('\n').find((text) => text.startsWith(publicId));
    return line?.split(/ {2,}/);
  };

  it('makes a key that works at once, lists it without its secret, and revokes it at once', async () => {
    const scopes = 'images:generate,usage:read';
    const created = await keys('create', 'shop', '--scopes', scopes, '--images-per-day', '7');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const secret = created.stdout.trim();
    const publicId = publicIdOf(secret) ?? expect.fail(`It printed ${secret}.`);
    expect(await caller(secret).query(VIEWER)).toEqual({
      viewer: { client: { name: 'shop' }, scopes: scopes.split(','), quota: { limit: 7 } },
    });

    const minute = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d$/);
    expect(await listed(publicId)).toEqual([publicId, 'shop', scopes, '7', minute, '-', 'active']);
    expect((await keys('list')).stdout).not.toContain(secret);

    expect(await keys('revoke', publicId)).toEqual({
      code: 0,
      stdout: `Revoked ${publicId} of shop.\n`,
      stderr: '',
    });
    await expect.poll(async () => (await caller(secret).send(VIEWER)).status).toBe(401);
    expect((await listed(publicId))?.at(-1)).toMatch(/^revoked \d{4}-/);
  });

  it('makes a key that may generate, and nothing else, where nothing is said', async () => {
    const { stdout } = await keys('create', 'plain');
    expect(await caller(stdout.trim()).query(VIEWER)).toEqual({
      viewer: { client: { name: 'plain' }, scopes: ['images:generate'], quota: null },
    });
  });

  it('tells programs of keys by JSON', async () => {
    const created = JSON.parse((await keys('create', 'robot', '--images-per-day', '3', '--json')).stdout);
    expect(created).toMatchObject({ client: 'robot', scopes: ['images:generate'], imagesPerDay: 3 });
    expect(publicIdOf(created.secret)).toBe(created.key);
    const { stdout } = await keys('list', '--json');
    const listed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(listed.find(({ key }) => key === created.key)).toEqual({
      key: created.key,
      client: 'robot',
      scopes: ['images:generate'],
      imagesPerDay: 3,
      createdAt: expect.any(String),
      lastUsedAt: null,
      revokedAt: null,
    });
    expect(stdout).not.toContain(created.secret);
  });

  it('refuses a scope that there is none of, and makes nothing', async () => {
    const name = freshKey();
    const { code, stderr, stdout } = await keys('create', name, '--scopes', 'images:generate,everything');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      'gesso: --scopes must be of images:generate, generations:read, audit:read, usage:read, admin.\n',
    );
    expect(await gateway.sql('select 1 from clients where name = $1', [name])).toEqual([]);
  });

  it('says so where there is no such key', async () => {
    const { code, stdout, stderr } = await keys('revoke', 'f'.repeat(16));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^gesso: There is no key "f{16}"\.\n {7}See .* keys list\.\n$/);
  });

  it('are on the audit trail', async () => {
    const rows = await gateway.sql<{ action: string }>(
      `select action from audit_events where request_id like 'cli:%' order by id`,
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'API_KEY_CREATED',
      'API_KEY_REVOKED',
      'API_KEY_CREATED',
      'API_KEY_CREATED',
    ]);
  });
});

describe('gesso keys, on a data folder with a PostgreSQL of its own', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gesso-cli-keys-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('work without a gateway, and while one runs on the folder', async () => {
    const options = { cwd: folder, environment: { PORT: '0', LOG_LEVEL: 'silent' } };
    const alone = await runCommand(['keys', 'create', 'alone'], options);
    expect(alone.code, alone.stderr).toBe(0);

    const gateway = startCommand(['start'], options);
    const [, url = ''] = await gateway.untilMatch(/is ready: (\S+)\/graphql/);
    const beside = await runCommand(['keys', 'create', 'beside'], options);
    expect(beside.code, beside.stderr).toBe(0);
    for (const { stdout } of [alone, beside]) {
      const answer = await createGraphqlClient(() => url, stdout.trim()).send(VIEWER);
      expect(answer.status).toBe(200);
    }
    const { stdout } = await runCommand(['keys', 'list'], options);
    expect(stdout).toContain('alone');
    expect(stdout).toContain('beside');
    gateway.kill('SIGTERM');
    expect(await gateway.finished).toMatchObject({ code: 0 });
  });
});

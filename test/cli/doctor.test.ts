import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { knownMigrations } from '../../src/cli/doctor/database.ts';
import { run } from '../../src/cli/program.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway, UPSTREAM_KEY } from '../support/gateway.ts';
import { type ClosedPort, closedPort } from './support/closed-port.ts';
import { plainLines, testTerminal } from './support/test-terminal.ts';

interface Found {
  readonly name: string;
  readonly state: 'good' | 'look' | 'wrong';
  readonly found: string;
  readonly advice: string | null;
}

let folder: string;
let closed: ClosedPort;
beforeAll(async () => {
  closed = await closedPort();
});
afterAll(() => closed.release());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-doctor-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A gateway that nobody started, in the folder of the test. */
const minimal = () => ({
  GESSO_URL: `http://127.0.0.1:${closed.port}`,
  GESSO_DATA_DIR: join(folder, '.gesso'),
  PORT: '0',
});

async function doctor(environment: Record<string, string> = {}, ...args: string[]) {
  const terminal = testTerminal({
    environment: { ...minimal(), ...environment },
    folder,
  });
  const code = await run(['node', 'gesso', 'doctor', '--json', ...args], terminal);
  const { stdout, stderr } = terminal.written;
  const { ok, checks } = JSON.parse(stdout.toString()) as { ok: boolean; checks: Found[] };
  return { code, ok, checks, stderr, of: (name: string) => checks.find((check) => check.name === name) };
}

/** An upstream that answers every GET with this status, and tells what it was asked. */
async function upstreamWith(status: number) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { asked, baseUrl: `http://127.0.0.1:${port}/v1`, close: () => server.close() };
}

describe('gesso doctor', () => {
  it('finds nothing wrong before the first start, and leaves nothing behind', async () => {
    const { code, ok, checks } = await doctor();
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(checks.map(({ name, state }) => [name, state])).toEqual([
      ['Node.js', 'good'],
      ['Configuration', 'good'],
      ['Data folder', 'good'],
      ['Database', 'good'],
      ['Image storage', 'good'],
      ['URL secret', 'good'],
      ['Upstream', 'good'],
      ['Gateway', 'look'],
    ]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('says what is wrong with the configuration, and that the rest was not looked at', async () => {
    const { code, ok, checks } = await doctor({ PORT: 'http', GESSO_ADMIN_KEY: 'h2' });
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(checks[1]).toMatchObject({
      state: 'wrong',
      found: expect.stringContaining('PORT must be a whole number'),
    });
    expect(checks[1]?.advice).toContain('The rest was not looked at');
    expect(JSON.stringify(checks)).not.toContain('h2');
  });

  it('says which file can not be loaded, and looks at the rest without it', async () => {
    await writeFile(join(folder, 'gesso.config.mjs'), `throw new Error('The API key of other is empty.');`);
    const { code, checks } = await doctor();
    expect(code).toBe(1);
    expect(checks.map(({ name, state }) => [name, state])).toEqual([
      ['Node.js', 'good'],
      ['Configuration', 'wrong'],
      ['Data folder', 'good'],
      ['Database', 'good'],
      ['Image storage', 'good'],
      ['URL secret', 'good'],
      ['Gateway', 'look'],
    ]);
    expect(checks[1]?.found).toMatch(
      /^gesso\.config\.mjs.* can't be loaded: The API key of other is empty\.$/,
    );
    expect(checks[1]?.advice).toContain('needs the environment of the gateway');
  });

  it('looks at the gateway of this configuration, unless another is named', async () => {
    const settings = { port: closed.port };
    await writeFile(
      join(folder, 'gesso.config.mjs'),
      `export default { settings: ${JSON.stringify(settings)} };`,
    );
    const found = async (environment: Record<string, string>, ...args: string[]) =>
      (await doctor({ GESSO_URL: '', PORT: '', ...environment }, ...args)).of('Gateway')?.found;
    expect(await found({})).toContain(`nothing answers at http://localhost:${closed.port}`);
    expect(await found({ GESSO_PUBLIC_URL: `http://127.0.0.1:${closed.port}` })).toContain(
      'http://127.0.0.1:',
    );
    expect(await found({}, '--url', `http://127.0.0.1:${closed.port}`)).toContain('http://127.0.0.1:');
  });

  it('looks at the plug-ins of the configuration file', async () => {
    const plugin = `export default { plugins: [{ name: 'half', providers: [{ name: 'x' }] }] };`;
    await writeFile(join(folder, 'gesso.config.mjs'), plugin);
    const { code, of } = await doctor();
    expect(code).toBe(1);
    expect(of('Configuration')).toMatchObject({
      state: 'wrong',
      found: expect.stringContaining('The plug-in "half" is not usable'),
    });
  });

  it('says so where the database is away, and shows no password', async () => {
    const { code, of, checks } = await doctor({
      DATABASE_URL: 'postgres://somebody:hunter2@127.0.0.1:1/gesso',
      GESSO_URL_SECRET: 'hunter2-of-the-tests',
    });
    expect(code).toBe(1);
    expect(of('Database')).toMatchObject({ state: 'wrong', found: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify(checks)).not.toContain('hunter2');
  });

  it('says so where the data folder is a file', async () => {
    await writeFile(join(folder, '.gesso'), '');
    const { code, of } = await doctor();
    expect(code).toBe(1);
    for (const name of ['Data folder', 'Database', 'Image storage'])
      expect(of(name)).toMatchObject({ state: 'wrong' });
  });

  it('warns of a URL secret that others can read, and of a missing folder that may be a mount', async () => {
    await mkdir(join(folder, '.gesso'));
    await writeFile(join(folder, '.gesso', 'url-secret'), 'secret-of-the-tests', { mode: 0o644 });
    await chmod(join(folder, '.gesso', 'url-secret'), 0o644);
    const { code, of } = await doctor({ GESSO_STORAGE_URL: join(folder, 'mount', 'images') });
    expect(code).toBe(0);
    expect(of('URL secret')).toMatchObject({ state: 'look', advice: expect.stringContaining('chmod 600') });
    expect(of('Image storage')).toMatchObject({ state: 'look', advice: expect.stringContaining('mount') });
  });

  it.each([
    [200, 'good', 'takes the key'],
    [401, 'wrong', 'refuses the key'],
    [404, 'good', 'whether it takes the key, and draws, was not tried'],
    [307, 'wrong', 'sends elsewhere'],
    [503, 'look', 'in trouble'],
  ])(
    'judges an upstream that answers %i, and asks it for nothing but its models',
    async (status, state, words) => {
      const { asked, baseUrl, close } = await upstreamWith(status);
      const { of, checks } = await doctor({
        BETTERTOKEN_API_KEY: 'sk-hunter2',
        BETTERTOKEN_BASE_URL: baseUrl,
      });
      close();
      expect(of('Upstream')).toMatchObject({ state, found: expect.stringContaining(words) });
      expect(asked).toEqual(['GET /v1/models Bearer sk-hunter2']);
      expect(JSON.stringify(checks)).not.toContain('hunter2');
    },
  );

  it('says so where the upstream can not be reached', async () => {
    const { code, of } = await doctor({
      BETTERTOKEN_API_KEY: 'sk-1',
      BETTERTOKEN_BASE_URL: `http://127.0.0.1:${closed.port}/v1`,
    });
    expect(code).toBe(1);
    expect(of('Upstream')).toMatchObject({
      state: 'wrong',
      found: expect.stringContaining("can't be reached"),
    });
  });

  it('is told by a file name which migrations there are', async () => {
    expect(await knownMigrations()).toEqual(expect.arrayContaining(['0001-ledger', '0002-after-the-caller']));
  });

  it('shows a table with what to do', async () => {
    const terminal = testTerminal({
      environment: minimal(),
      folder,
      columns: 80,
    });
    expect(await run(['node', 'gesso', 'doctor'], terminal)).toBe(0);
    const lines = plainLines(terminal.written.stdout);
    expect(lines[0]).toMatch(/^✓ Node\.js +\d+\./);
    expect(lines).toContainEqual(expect.stringMatching(/^! Gateway +nothing answers at http/));
    expect(lines).toContainEqual(expect.stringMatching(/^ {17}Start it: gesso start/));
    expect(lines.at(-1)).toBe('One thing to look at. No image was bought.');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe('gesso doctor, beside a gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  const beside = (environment: Record<string, string> = {}) =>
    doctor({
      GESSO_URL: gateway.url,
      GESSO_API_KEY: ADMIN_KEY,
      DATABASE_URL: gateway.databaseUrl,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      GESSO_DATA_DIR: gateway.dataDir,
      BETTERTOKEN_API_KEY: UPSTREAM_KEY,
      BETTERTOKEN_BASE_URL: gateway.sandbox.baseUrl,
      ...environment,
    });

  it('finds all well, and buys nothing', async () => {
    const { code, checks, of } = await beside();
    expect(checks.filter(({ state }) => state !== 'good')).toEqual([]);
    expect(code).toBe(0);
    expect(of('Database')?.found).toMatch(/^PostgreSQL 1\d\.\d+; all \d+ migrations are run$/);
    expect(of('Image storage')?.found).toContain('stored, read and removed a probe');
    expect(of('Gateway')?.found).toContain("admin's (admin)");
    expect(gateway.sandbox.journal.billed()).toEqual([]);
  });

  it('says so where the gateway refuses the key', async () => {
    const { code, of, checks } = await beside({ GESSO_API_KEY: 'hunter2' });
    expect(code).toBe(1);
    expect(of('Gateway')).toMatchObject({
      state: 'wrong',
      found: expect.stringContaining('refuses the key of GESSO_API_KEY'),
    });
    expect(JSON.stringify(checks)).not.toContain('hunter2');
  });

  it('says that another gateway may be the one that answers, where it refuses the development key', async () => {
    await mkdir(join(folder, '.gesso'));
    await writeFile(join(folder, '.gesso', 'development-key'), 'hunter2');
    const { of } = await beside({ GESSO_API_KEY: '', GESSO_DATA_DIR: join(folder, '.gesso') });
    expect(of('Gateway')).toMatchObject({
      state: 'wrong',
      advice: expect.stringMatching(/another gateway .* --url or GESSO_URL\..* make another/i),
    });
  });

  it('tells of migrations that are not run, and runs none', async () => {
    const [removed] = await gateway.sql<{ name: string; timestamp: string }>(
      `delete from gesso_migrations where name = (select max(name) from gesso_migrations) returning *`,
    );
    const { of } = await beside();
    expect(of('Database')).toMatchObject({ state: 'look', advice: 'The next start runs them.' });
    await gateway.sql('insert into gesso_migrations values ($1, $2), ($3, $2)', [
      removed?.name,
      removed?.timestamp,
      '9999-later',
    ]);
    expect((await beside()).of('Database')).toMatchObject({
      state: 'look',
      found: expect.stringContaining('9999-later'),
    });
    await gateway.sql(`delete from gesso_migrations where name = '9999-later'`);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { createTestDatabase } from '../support/database.ts';
import { MAIN } from '../support/readme-gateway.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const gesso = (args: string, environment: Record<string, string> = {}) =>
  runCommand(args === '' ? [] : args.split(' '), { cwd: folder, environment });

describe('gesso', () => {
  it('explains itself, and each of its commands', async () => {
    const [help, start, keys] = await Promise.all(
      ['--help', 'help start', 'keys --help'].map((a) => gesso(a)),
    );
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['start', 'keys']) expect(help?.stdout).toContain(command);
    expect(start).toMatchObject({ code: 0, stdout: expect.stringContaining('Start the gateway.') });
    for (const command of ['create', 'list', 'revoke']) expect(keys?.stdout).toContain(command);
    expect(keys?.stdout).not.toContain('Operate:');
  });

  it.each([
    'nonsense',
    'keys nonsense',
    'start --nonsense',
    'keys create',
    'keys create shop --images-per-day ten',
  ])('is told that `%s` is no way to use it: exit code 2, and what is', async (args) => {
    const { code, stdout, stderr } = await gesso(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^gesso: [A-Z].+\.\n {7}.*Add --help to see how it is used\.\n$/);
  });

  it('loads nothing for its help that help has no use of', async () => {
    const told = `import { registerHooks } from 'node:module';
      registerHooks({ load: (url, context, next) => { process.stderr.write(url + '\\n'); return next(url, context); } });`;
    const { stderr } = await runCommand(['generate', '--help'], {
      command: [process.execPath, '--import', `data:text/javascript,${encodeURIComponent(told)}`, MAIN],
      cwd: folder,
    });
    const packages = [...stderr.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)].map(([, name]) => name);
    expect(packages).toContain('commander');
    for (const heavy of ['graphql', 'zod', 'pg', 'kysely', 'pino', 'sharp'])
      expect(packages).not.toContain(heavy);
  });

  it('shows its help where it is told nothing', async () => {
    const { code, stderr } = await gesso('');
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: gesso');
  });
});

describe('gesso, refusing', () => {
  /** A refusal is one line on stderr, for people, with no stack. */
  const line = (text: string) => ({ code: 1, stdout: '', stderr: `gesso: ${text}\n` });

  it('says what is wrong with the configuration, and shows no secret', async () => {
    const environment = { PORT: 'http', GESSO_ADMIN_KEY: 'hunter2' };
    expect(await gesso('start', environment)).toEqual(
      line(
        'The configuration is not usable: PORT must be a whole number; GESSO_ADMIN_KEY must have at least 8 characters.',
      ),
    );
  });

  it('does not start in production without a key for a provider', async () => {
    const { code, stderr } = await gesso('start', { NODE_ENV: 'production' });
    expect(code).toBe(1);
    expect(stderr).toContain('BETTERTOKEN_API_KEY or BETTERTOKEN_API_KEY_FILE must be set in production');
  });

  it.each(['start', 'keys list'])('`%s` ends where the database can not be reached', async (args) => {
    const environment = {
      DATABASE_URL: 'postgres://somebody:hunter2@127.0.0.1:1/gesso',
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
    };
    expect(await gesso(args, environment)).toEqual(line('connect ECONNREFUSED 127.0.0.1:1'));
  });

  it('ends where gesso.config names a neighbour that is not there, and closes what it had opened', async () => {
    const database = await createTestDatabase();
    const cwd = await mkdtemp(join(tmpdir(), 'gesso-cli-config-'));
    await writeFile(
      join(cwd, 'gesso.config.ts'),
      `async function lost(request: unknown, next: (request: unknown) => Promise<unknown>) { return next(request); }
      export default { plugins: [{ name: 'lost', requestMiddleware: [{ middleware: lost, before: 'nobody' }] }] };`,
    );
    const environment = {
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      GESSO_DATA_DIR: cwd,
    };
    expect(await runCommand(['start'], { cwd, environment })).toEqual(
      line('No middleware is called "nobody"; the ring is audit ▸ authorize ▸ idempotency ▸ quota.'),
    );
    await rm(cwd, { recursive: true });
    await database.drop();
  });

  it('ends where the port is taken, and closes what it had opened', async () => {
    const database = await createTestDatabase();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const environment = {
      PORT: String(port),
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      GESSO_DATA_DIR: join(folder, 'taken'),
    };
    expect(await gesso('start', environment)).toEqual(
      line(`Port ${port} on 127.0.0.1 is in use: set PORT to another one.`),
    );
    server.close();
    await database.drop();
  });
});

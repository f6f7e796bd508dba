import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Finished, type RunningCommand, runCommand, startCommand } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createGraphqlClient } from '../support/graphql-client.ts';
import { runInBash } from '../support/readme-gateway.ts';

let folder: string;
let database: TestDatabase;
beforeEach(async () => {
  [folder, database] = await Promise.all([mkdtemp(join(tmpdir(), 'gesso-cli-start-')), createTestDatabase()]);
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Life extends RunningCommand {
  readonly url: string;
  stop(): Promise<Finished>;
}

/** Starts a gateway on the test's folder and database, and resolves when it is ready. */
async function start(environment: Record<string, string> = {}): Promise<Life> {
  const command = startCommand(['start'], {
    cwd: folder,
    environment: {
      PORT: '0',
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      ...environment,
    },
  });
  const [, url = ''] = await command.untilMatch(/Gesso is ready: (\S+)\/graphql\n(?:[\s\S]*\n)?\n/);
  return Object.assign(command, {
    url,
    async stop() {
      command.kill('SIGTERM');
      return command.finished;
    },
  });
}

const developmentKey = (output: string) => /Development key: (gesso_\S+)/.exec(output)?.[1];

describe('gesso start', () => {
  it('serves until it is told to stop, and then ends in good order', async () => {
    const gateway = await start();
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    const { code, stderr } = await gateway.stop();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(fetch(`${gateway.url}/readyz`)).rejects.toThrow('fetch failed');
  });

  it('makes a development key at the first start, and shows it that once', async () => {
    const first = await start();
    const secret = developmentKey(first.stdout) ?? expect.fail(first.stdout);
    const path = join(folder, '.gesso', 'development-key');
    expect(first.stdout).toContain(`kept in ${path}`);
    expect((await readFile(path, 'utf8')).trim()).toBe(secret);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const client = (url: string) => createGraphqlClient(() => url, secret);
    const made = await client(first.url).generateImage({ prompt: 'a boat', idempotencyKey: 'the-boat' });
    expect(made.__typename).toBe('GenerateImageSuccess');
    await first.stop();

    const second = await start();
    expect(second.stdout).not.toContain(secret);
    expect(second.stdout).toContain(`Development key: kept in ${path}`);
    const again = await client(second.url).generateImage({ prompt: 'a boat', idempotencyKey: 'the-boat' });
    expect(again).toMatchObject({ replayed: true, image: { sha256: made.image?.sha256 } });
    await second.stop();
  });

  it('says plainly that the pictures come from the sandbox, and not where they do not', async () => {
    const pretending = await start();
    expect(pretending.stdout).toContain('Sandbox: no BETTERTOKEN_API_KEY is set');
    await pretending.stop();
    const real = await start({
      BETTERTOKEN_API_KEY: 'sk-of-the-tests',
      BETTERTOKEN_BASE_URL: 'http://127.0.0.1:1',
    });
    expect(real.stdout).not.toContain('Sandbox');
    await real.stop();
  });

  it('tells where its sandbox is, and how it fails for once', async () => {
    const gateway = await start();
    const [, url = ''] = / {4}at (http:\/\/127\.0\.0\.1:\d+)\/v1;/.exec(gateway.stdout) ?? [];
    const [, body = ''] = /curl \S+\/sandbox\/behaviours \\\n.* -d '([^']+)'/.exec(gateway.stdout) ?? [];
    const headers = { 'content-type': 'application/json' };
    const told = await fetch(`${url}/sandbox/behaviours`, { method: 'POST', headers, body });
    expect(await told.json()).toEqual({ queued: 1 });
    await gateway.stop();
  });

  it('ends with a command that makes an image', async () => {
    const gateway = await start();
    const [, command = ''] = /Next, in a second terminal: (.+)$/m.exec(gateway.stdout) ?? [];
    expect(command).toMatch(/^node \S+main\.ts generate /);
    const printed = await runInBash(command.replace(/^node/, process.execPath), folder);
    expect(printed).toContain('✓ a-lighthouse-at-dawn-gouache.png');
    expect(await readdir(folder)).toContain('a-lighthouse-at-dawn-gouache.png');
    await gateway.stop();
  });

  it('tells what its configuration file brought, who draws, and leaves word of its address', async () => {
    await writeFile(
      join(folder, 'gesso.config.mjs'),
      `export default { plugins: [{ name: 'house-style' }, { name: 'second-look' }] };`,
    );
    const gateway = await start();
    expect(gateway.stdout).toContain(
      '  Configuration: gesso.config.mjs (plug-ins: house-style, second-look)\n',
    );
    expect(gateway.stdout).toContain('  Providers: bettertoken (the sandbox)\n');
    // Without --url: it is found by the data folder.
    const made = await runCommand(['generate', 'A boat', '--output', 'boat.png'], { cwd: folder });
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('✓ boat.png') });
    await gateway.stop();
  });

  it('recommends no command that it would refuse, and commands say why', async () => {
    await writeFile(join(folder, 'documents.json'), JSON.stringify({ listed: '{ viewer { scopes } }' }));
    const gateway = await start({ GESSO_DOCUMENTS: 'documents.json', GESSO_DOCUMENTS_ONLY: 'true' });
    expect(gateway.stdout).not.toContain('Next,');
    expect(gateway.stdout).toContain('Takes only the documents of documents.json');
    const refused = await runCommand(['generate', 'A boat'], { cwd: folder });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/takes only listed documents.*\n.*GESSO_DOCUMENTS_ONLY/);
    const { stdout } = await runCommand(['doctor', '--url', gateway.url], {
      cwd: folder,
      environment: { DATABASE_URL: database.url, GESSO_URL_SECRET: 'url-secret-of-the-tests' },
    });
    expect(stdout).toMatch(/^! Gateway +.*takes only listed documents/m);
    await gateway.stop();
  });

  it('makes no development key where there is another, nor in production', async () => {
    const withAdmin = await start({ GESSO_ADMIN_KEY: 'admin-key-of-the-tests' });
    expect(withAdmin.stdout).not.toContain('Development key');
    await withAdmin.stop();
    const production = await start({ NODE_ENV: 'production', BETTERTOKEN_API_KEY: 'sk-of-the-tests' });
    expect(production.stdout).not.toContain('Development key');
    await production.stop();
    await expect(stat(join(folder, '.gesso', 'development-key'))).rejects.toThrow('ENOENT');
  });

  it('logs no key of any kind', async () => {
    const keys = { GESSO_ADMIN_KEY: 'admin-key-of-the-tests', BETTERTOKEN_API_KEY: 'sk-of-the-tests' };
    const gateway = await start({ ...keys, LOG_LEVEL: 'trace' });
    await createGraphqlClient(() => gateway.url, keys.GESSO_ADMIN_KEY).query('{ viewer { scopes } }');
    const { stdout, stderr } = await gateway.stop();
    for (const secret of [...Object.values(keys), 'url-secret-of-the-tests']) {
      expect(stdout + stderr).not.toContain(secret);
    }
  });
});

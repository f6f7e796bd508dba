import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/program.ts';
import { SETTINGS } from '../../../src/settings.ts';
import { runCommand } from '../../support/command.ts';
import { ROOT } from '../../support/readme-pages.ts';
import { plainLines, testTerminal } from '../support/test-terminal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Shown {
  readonly name: string;
  readonly env: string;
  readonly value: string | null;
  readonly source: string;
  readonly path: string | null;
}

async function config(environment: Record<string, string> = {}) {
  const terminal = testTerminal({ environment, folder });
  const code = await run(['node', 'gesso', 'config', '--json'], terminal);
  const { settings, ...rest } = JSON.parse(terminal.written.stdout.toString()) as { settings: Shown[] };
  const of = (name: string) => {
    const { value, source, path } = settings.find((setting) => setting.name === name) ?? {};
    return [value, source, ...(path === null ? [] : [path])];
  };
  return { code, settings, of, rest, stderr: terminal.written.stderr };
}

const configFile = (text: string) => writeFile(join(folder, 'gesso.config.mjs'), `export default ${text};`);

describe('gesso config', () => {
  it('has every setting, in the order of the README', async () => {
    const { code, settings } = await config();
    expect(code).toBe(0);
    expect(settings.map(({ name, env }) => [name, env])).toEqual(
      Object.entries(SETTINGS).map(([name, { env }]) => [name, env]),
    );
  });

  it('says where each value comes from: the environment, over the file, over the default', async () => {
    await configFile(`{ settings: { port: 4100, drainMs: '100' }, plugins: [{ name: 'house-style' }] }`);
    const { of, rest } = await config({ PORT: '4200', LOG_LEVEL: '' });
    expect(of('port')).toEqual(['4200', 'environment']);
    expect(of('drainMs')).toEqual(['100', 'config', 'gesso.config.mjs']);
    expect(of('logLevel')).toEqual(['info', 'default']);
    expect(of('publicUrl')).toEqual([null, 'unset']);
    expect(rest).toEqual({ file: join(folder, 'gesso.config.mjs'), plugins: ['house-style'] });
  });

  it('names the files that hold secrets of their own', async () => {
    await mkdir(join(folder, '.gesso'));
    await Promise.all([
      writeFile(join(folder, '.gesso', 'url-secret'), 'hunter2-hunter2'),
      writeFile(join(folder, 'token'), 'sk-hunter2'),
    ]);
    const { of } = await config({ BETTERTOKEN_API_KEY_FILE: join(folder, 'token') });
    expect(of('urlSecret')).toEqual(['********', 'file', join('.gesso', 'url-secret')]);
    expect(of('betterTokenApiKey')).toEqual(['********', 'file', 'token']);
    expect(of('betterTokenApiKeyFile')).toEqual([join(folder, 'token'), 'environment']);
  });

  it('shows no secret, as a table and as JSON', async () => {
    await configFile(`{ settings: { webhookSecret: 'hunter2-webhooks' } }`);
    const environment = {
      DATABASE_URL: 'postgres://gesso:hunter2@db.internal/gesso',
      GESSO_URL_SECRET: 'hunter2-urls',
      GESSO_ADMIN_KEY: 'hunter2-admin',
      BETTERTOKEN_API_KEY: 'sk-hunter2',
      GESSO_STORAGE_URL: 's3://hunter2:hunter2@pictures/?token=hunter2',
    };
    for (const columns of [undefined, 200]) {
      const terminal = testTerminal({ environment, folder, ...(columns === undefined ? {} : { columns }) });
      await run(['node', 'gesso', 'config'], terminal);
      const { stdout, stderr } = terminal.written;
      expect(stdout.toString()).toContain('db.internal');
      expect(stdout + stderr).not.toContain('hunter2');
    }
    const { code, stdout, stderr } = await runCommand(['config', '--json'], { cwd: folder, environment });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('hunter2');
  });

  it('shows the settings also where the gateway would not start with them, and says why', async () => {
    const { code, of, stderr } = await config({ PORT: 'http' });
    expect(of('port')).toEqual(['http', 'environment']);
    expect(code).toBe(1);
    expect(stderr).toContain('gesso: The configuration is not usable: PORT must be a whole number.');
  });

  it('lets the file import all of the package by its name, as this very program', async () => {
    const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { exports: object };
    const names = Object.entries(exports)
      // The others are no modules; and the suites are for Vitest.
      .filter(([path, target]) => typeof target === 'object' && path !== './testing')
      .map(([path]) => path.replace('.', 'gesso'));
    expect(names.length).toBeGreaterThan(3);
    await writeFile(
      join(folder, 'gesso.config.mts'),
      `${names.map((name, index) => `import * as part${index} from '${name}';`).join('\n')}
      import { ConfigError } from 'gesso';
      throw new ConfigError('It was loaded.');`,
    );
    const { code, stderr } = await runCommand(['config'], { cwd: folder });
    // Nothing on where it was thrown: its class is the program's own.
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^gesso: gesso\.config\.mts can't be loaded: It was loaded\.\n {7}It is loaded by /,
    );
  });

  it('names the file that can not be loaded, and where in it the mistake is', async () => {
    await writeFile(
      join(folder, 'gesso.config.mjs'),
      '\nconst lost = undefined;\nexport default lost.found;',
    );
    const terminal = testTerminal({ folder });
    expect(await run(['node', 'gesso', 'config'], terminal)).toBe(1);
    expect(terminal.written.stderr).toMatch(/^gesso: gesso\.config\.mjs:3 can't be loaded: Cannot read/);
    expect(terminal.written.stderr).toContain('needs the environment of the gateway');
  });

  it('fits into a terminal, and is whole in a pipe', async () => {
    const environment = { GESSO_PUBLIC_URL: `https://images.example.com/${'long/'.repeat(30)}` };
    const narrow = testTerminal({ environment, folder, columns: 80 });
    await run(['node', 'gesso', 'config'], narrow);
    const lines = plainLines(narrow.written.stdout);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.find((line) => line.startsWith('GESSO_PUBLIC_URL'))).toMatch(
      /^GESSO_PUBLIC_URL +environment +https:.*…$/,
    );
    expect(lines).toContain('Wider terminal or --json: SETTING');

    const piped = testTerminal({ environment, folder });
    await run(['node', 'gesso', 'config'], piped);
    expect(piped.written.stdout.toString()).toContain('long/long');
    expect(piped.written.stdout.toString()).not.toContain('…');
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand, startCommand } from './support/command.ts';
import { createGraphqlClient } from './support/graphql-client.ts';
import { type InstalledPackage, packAndInstall } from './support/package.ts';

const TSC = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

let installed: InstalledPackage;
beforeAll(async () => {
  installed = await packAndInstall();
}, 240_000);
afterAll(() => installed?.remove());

const FIRST_IMAGE = `
import { createClient, InvalidInputError } from 'gesso/client';
const gesso = createClient({ url: process.env.GESSO_URL, apiKey: process.env.GESSO_API_KEY });
const image = await gesso.generateImage({ prompt: 'a boat, by the client' });
await image.save('boat.png');
const error = await gesso.generateImage({ prompt: 'a cat' }).catch((thrown) => thrown);
console.log(image.width, image.height, 'cats:', error instanceof InvalidInputError && error.name);
`;
const bin = () => join(installed.folder, 'node_modules/gesso/bin/gesso.js');
const write = (name: string, text: string) => writeFile(join(installed.folder, name), text);
const inFolder = (command: readonly string[]) => ({ command, cwd: installed.folder });

describe('the package', () => {
  it('holds what runs, its types and its papers, and no source or test', () => {
    for (const path of [
      'bin/gesso.js',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/main.js',
      'schema.graphql',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
    ]) {
      expect(installed.files, path).toContain(path);
    }
    const expected = /^(bin\/gesso\.js|dist\/.+\.(js|d\.ts)|[A-Z]+(\.md)?|schema\.graphql|package\.json)$/;
    expect(installed.files.filter((path) => !expected.test(path))).toEqual([]);
  });

  it('asks for nothing at install time: it is built already', async () => {
    const manifest = JSON.parse(
      await readFile(join(installed.folder, 'node_modules/gesso/package.json'), 'utf8'),
    ) as { scripts: Record<string, string> };
    // `prepare` builds in a clone; of an installed package npm does not run it.
    for (const script of ['preinstall', 'install', 'postinstall']) {
      expect(manifest.scripts).not.toHaveProperty(script);
    }
    for (const tool of ['typescript', 'vitest', '@biomejs', 'node']) {
      expect(existsSync(join(installed.folder, 'node_modules', tool)), tool).toBe(false);
    }
  });

  it('has a `gesso` that explains itself', async () => {
    const { code, stdout, stderr } = await runCommand(['--help'], inFolder([process.execPath, bin()]));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Usage: gesso');
    expect(existsSync(join(installed.folder, 'node_modules/.bin/gesso'))).toBe(true);
  });

  it('serves on a PostgreSQL of its own, as gesso.config.ts says, and stops on SIGTERM', async () => {
    await write(
      'gesso.config.ts',
      `import { defineConfig, type RequestMiddleware, InvalidInputError } from 'gesso';
const noCats: RequestMiddleware = async function noCats(request, next) {
  if (!request.prompt.includes('cat')) return next(request);
  throw new InvalidInputError([{ path: ['input', 'prompt'], message: 'must not ask for cats.' }]);
};
export default defineConfig({
  settings: { port: 0, logLevel: 'warn' },
  plugins: [{ name: 'no-cats', requestMiddleware: [{ middleware: noCats, before: 'idempotency' }] }],
});
`,
    );
    const gateway = startCommand(['start'], inFolder([process.execPath, bin()]));
    const [, url = '', key = ''] = await gateway.untilMatch(
      /is ready: (\S+)\/graphql\n[\s\S]*Development key: (\S+)\n[\s\S]*\n\n/,
    );
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const client = createGraphqlClient(() => url, key);
    expect(await client.generateImage({ prompt: 'a boat' })).toMatchObject({
      __typename: 'GenerateImageSuccess',
    });
    expect(await client.generateImage({ prompt: 'a cat' })).toMatchObject({
      __typename: 'InvalidInputError',
    });

    // The client of the same package, as a program of somebody's would have it.
    await write('first-image.mjs', FIRST_IMAGE);
    const program = await runCommand(['first-image.mjs'], {
      ...inFolder([process.execPath]),
      environment: { GESSO_URL: url, GESSO_API_KEY: key },
    });
    expect(program).toMatchObject({ code: 0, stderr: '', stdout: '1024 1024 cats: InvalidInputError\n' });
    const picture = await readFile(join(installed.folder, 'boat.png'));
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    gateway.kill('SIGTERM');
    expect(await gateway.finished).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('the types of the package', () => {
  const check = async (text: string) => {
    await write('check.ts', text);
    const options = '--noEmit --strict --module nodenext --target es2024 --skipLibCheck --types'.split(' ');
    return runCommand([...options, '', 'check.ts'], inFolder([process.execPath, TSC]));
  };

  it('know what a configuration and its plug-ins are made of', async () => {
    const { code, stdout } = await check(`
      import { createGateway, defineConfig, readConfig, ProviderFailure } from 'gesso';
      import type { AttemptMiddleware, GessoPlugin, Provider, RequestMiddleware } from 'gesso';
      const retrying: AttemptMiddleware = async function retrying(request, next) {
        try {
          return await next(request);
        } catch (error) {
          if (error instanceof ProviderFailure && error.outcome === 'NOT_ACCEPTED') return next(request);
          throw error;
        }
      };
      export const plugin: GessoPlugin = { name: 'mine', attemptMiddleware: [{ middleware: retrying, after: 'retry' }] };
      export const config = defineConfig({ settings: { port: 4001, deadlineMs: '1000' }, plugins: [plugin] });
      export const start = () => createGateway({ config: readConfig({}), publicUrl: () => 'http://localhost' });
      export type { Provider, RequestMiddleware };
    `);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });

  it('know the client, the other providers and what plug-ins test themselves with', async () => {
    const { code, stdout } = await check(`
      import { createClient, type GeneratedImage, ProviderRejectedError } from 'gesso/client';
      import { createOpenAI } from 'gesso/providers/openai';
      import { aiSdk } from 'gesso/providers/ai-sdk';
      const client = createClient({ url: 'http://localhost:4000' });
      const image: Promise<GeneratedImage> = client.generateImage({ prompt: 'a boat', size: 'LANDSCAPE_1536X1024' });
      export const code = (error: ProviderRejectedError): string | undefined => error.providerCode;
      // @ts-expect-error There is no such size.
      export const wrong = client.generateImage({ prompt: 'a boat', size: 'HUGE' });
      export { aiSdk, createOpenAI, image };
    `);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });

  it.each([
    [
      'a setting that there is none of',
      `defineConfig({ settings: { prot: 4001 } })`,
      "'prot' does not exist",
    ],
    ['a plug-in without a name', `defineConfig({ plugins: [{ providers: [] }] })`, "'name' is missing"],
    [
      'a provider without sizes',
      `defineConfig({ plugins: [{ name: 'x', providers: [{ name: 'y' }] }] })`,
      'missing the following',
    ],
  ])('refuse %s', async (_name, expression, message) => {
    const { code, stdout } = await check(
      `import { defineConfig } from 'gesso';\nexport default ${expression};\n`,
    );
    expect(code).not.toBe(0);
    expect(stdout).toContain(message);
  });
});

describe('an older Node', () => {
  /** Commands that run a script with a Node that is too old, or with one that says it is. */
  const pretending = `--import=data:text/javascript,${encodeURIComponent(
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.9.0' } });`,
  )}`;
  const olderNodes: [about: string, version: string, command: string[]][] = [
    ['22.9.0, as far as it says', '22.9.0', [process.execPath, pretending]],
    ...['/usr/bin/node', '/usr/local/bin/node'].filter(existsSync).flatMap((path) => {
      const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().slice(1);
      const older = Number.parseInt(version, 10) < 24;
      return older ? [[`${version}, ${path}`, version, [path]] as [string, string, string[]]] : [];
    }),
  ];

  it.each(olderNodes)('is told plainly that it is too old: %s', async (_about, version, command) => {
    const { code, stdout, stderr } = await runCommand(['start'], inFolder([...command, bin()]));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`Gesso needs Node.js 24 or later, and this is ${version} (`);
    expect(stderr.trim()).not.toContain('\n');
  });
});

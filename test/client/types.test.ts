import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

let folder: string;
const dist = () => join(folder, 'node_modules/gesso');
/** Runs the compiler; resolves with what it complains of. */
async function tsc(...parameters: string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, [TSC, ...parameters], { cwd: folder });
  return run.then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

/** The declarations, as the package has them, in a folder with nothing else but what it depends on. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-types-'));
  await mkdir(join(folder, 'node_modules'));
  for (const name of ['graphql', 'graphql-request', '@types'])
    await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  const build = {
    extends: join(ROOT, 'tsconfig.build.json'),
    compilerOptions: {
      emitDeclarationOnly: true,
      rootDir: join(ROOT, 'src'),
      outDir: join(dist(), 'dist'),
      typeRoots: [join(ROOT, 'node_modules/@types')],
    },
    include: [join(ROOT, 'src/client')],
  };
  await writeFile(join(folder, 'build.json'), JSON.stringify(build));
  expect(await tsc('-p', 'build.json')).toBe('');
  const exports = { './client': { types: './dist/client/index.d.ts', default: './dist/client/index.js' } };
  await writeFile(join(dist(), 'package.json'), JSON.stringify({ name: 'gesso', type: 'module', exports }));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const STRICT = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noEmit'];
const inNode = ['--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
const inBrowsers = [
  '--module',
  'esnext',
  '--moduleResolution',
  'bundler',
  '--target',
  'es2022',
  '--lib',
  'es2022,dom,dom.asynciterable',
  '--types',
  '',
];

async function check(text: string, platform: readonly string[]): Promise<string> {
  await writeFile(join(folder, 'check.ts'), text);
  return tsc(...STRICT, ...platform, 'check.ts');
}

const GOOD = `
import { parse } from 'graphql';
import {
  createClient, GeneratedImage, GessoError, QuotaExceededError, InvalidInputError,
  type ClientOptions, type Generation, type GessoClient, type ImageSize, type TypedDocumentNode,
} from 'gesso/client';

const options: ClientOptions = { url: 'http://localhost:4000', apiKey: async () => 'key', waitSeconds: 60 };
const client: GessoClient = createClient(options);
const size: ImageSize = 'LANDSCAPE_1536X1024';

export async function make(signal: AbortSignal): Promise<GeneratedImage> {
  try {
    return await client.generateImage(
      { prompt: 'A boat', size, delivery: 'AT_MOST_ONCE' },
      { signal, onProgress: ({ status, attempts }: Generation) => void [status, attempts[0]?.outcome] },
    );
  } catch (error) {
    if (error instanceof QuotaExceededError) error.resetAt.getTime();
    if (error instanceof InvalidInputError) error.issues.map(({ path, message }) => path.join('.') + message);
    if (error instanceof GessoError) error.idempotencyKey?.length;
    throw error;
  }
}

export async function read(signal: AbortSignal): Promise<void> {
  const image = await client.image('id', { signal });
  const bytes: Uint8Array<ArrayBuffer> | undefined = await image?.bytes({ signal });
  const small = await image?.rendition({ maxWidth: 300, format: 'WEBP' });
  const date: Date | undefined = image?.createdAt;
  for (const result of await client.generateImages({ prompt: 'Boats', count: 4 })) {
    const word: string = result.ok ? result.image.url : result.error.code;
    void word;
  }
  for await (const { image } of client.generations({ filter: { createdFrom: new Date() } })) image?.sha256;
  for await (const { occurredAt } of client.auditEvents()) occurredAt.getTime();
  const document = parse('{ viewer { scopes } }') as TypedDocumentNode<{ viewer: { scopes: string[] } }, object>;
  const { viewer } = await client.request(document, {});
  void [bytes, small?.width, date, viewer.scopes];
}
`;

describe("import … from 'gesso/client'", () => {
  it.each([
    ['Node', inNode],
    ['a browser, without the types of Node', inBrowsers],
  ])('compiles under strict options for %s', async (_name, platform) => {
    expect(await check(GOOD, [...platform, '--skipLibCheck'])).toBe('');
  });

  it('has declarations that are right by themselves', async () => {
    const complaints = await check(GOOD, [...inNode, '--skipLibCheck', 'false']);
    expect(complaints.split('\n').filter((line) => line.includes('node_modules/gesso/'))).toEqual([]);
  });

  it.each([
    ['a size that there is none of', `client.generateImage({ prompt: 'x', size: 'HUGE' })`, '"HUGE"'],
    ['a request without a prompt', 'client.generateImage({})', "'prompt' is missing"],
    ['several without a count', `client.generateImages({ prompt: 'x' })`, "'count' is missing"],
    ['an image that may not be there', `(await client.image('x')).url`, 'possibly'],
    ['a field that there is none of', `(await client.viewer()).password`, "'password' does not exist"],
  ])('refuses %s', async (_name, expression, complaint) => {
    const text = `import { createClient } from 'gesso/client';\nconst client = createClient();\nvoid (${expression});\nexport {};`;
    expect(await check(text, [...inNode, '--skipLibCheck'])).toContain(complaint);
  });
});

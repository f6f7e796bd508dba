import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GessoConfig } from '../src/plugin.ts';
import type { Provider } from '../src/providers/provider.ts';
import { plainPicture } from '../src/sandbox/sandbox.ts';
import { describeAttemptMiddleware, describeRequestMiddleware } from '../src/testing/describe-middleware.ts';
import { describeProvider } from '../src/testing/describe-provider.ts';
import { answering, startUpstream, type Upstream, type WireAnswer } from '../src/testing/upstream.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { createGraphqlClient, type GraphqlClient } from './support/graphql-client.ts';
import { type SampleGateway, sampleFolder, startSampleGateway } from './support/readme-gateway.ts';
import { ROOT, type Sample, sampleOf, samplesOf } from './support/readme-pages.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const PROVIDER_PAGE = 'docs/writing-a-provider.md';
const MIDDLEWARE_PAGE = 'docs/writing-a-middleware.md';

const png = (picture: Buffer): WireAnswer => ({
  status: 200,
  headers: { 'content-type': 'image/png' },
  body: picture,
});

const folders: string[] = [];
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-samples-'));
  folders.push(folder);
  return folder;
}
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe('the TypeScript samples', () => {
  it('have the types that they need', async () => {
    const folder = await temporaryFolder();
    for (const [index, { page, fileName, text }] of samplesOf('ts').entries()) {
      const own = join(folder, page);
      await mkdir(own, { recursive: true });
      await writeFile(join(own, fileName ?? `sample-${index}.ts`), text);
    }
    const configuration = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        // As the package's exports have it; the samples don't lie in the package.
        paths: {
          gesso: [join(ROOT, 'src/index.ts')],
          'gesso/client': [join(ROOT, 'src/client/index.ts')],
          'gesso/testing': [join(ROOT, 'src/testing/index.ts')],
          'gesso/providers/*': [join(ROOT, 'src/providers/*.ts')],
        },
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      include: [folder],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(configuration));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    // What a reader would have installed.
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const check = promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', folder]);
    // What tsc complains of is on its standard output.
    await check.catch((error: { stdout: string }) => expect.fail(error.stdout));
  });
});

/** Imports a sample into this process, with the sources in the place of the package. */
async function load(sample: Sample): Promise<Record<string, unknown>> {
  const path = join(await temporaryFolder(), sample.fileName ?? 'sample.ts');
  await writeFile(path, sample.text.replaceAll("'gesso'", JSON.stringify(join(ROOT, 'src/index.ts'))));
  return (await import(/* @vite-ignore */ pathToFileURL(path).href)) as Record<string, unknown>;
}

type CreateEasel = (options: { baseUrl: string; apiKey: string; connections: number }) => Provider;
const { createEasel } = (await load(sampleOf(PROVIDER_PAGE, 'ts', '// easel.ts'))) as {
  createEasel: CreateEasel;
};

describeProvider({
  name: `easel, of ${PROVIDER_PAGE}`,
  create: ({ url, apiKey, connections }) => createEasel({ apiKey, baseUrl: url, connections }),
  success: png,
  error: (status, message) => ({
    status,
    headers: { 'content-type': 'text/plain' },
    body: Buffer.from(message),
  }),
  checkRequest(sent, { prompt, size }, apiKey) {
    expect(`${sent.method} ${sent.path}`).toBe('POST /pictures');
    expect(JSON.parse(sent.body.toString())).toEqual({ prompt, size });
    expect(sent.headers.authorization).toBe(`Bearer ${apiKey}`);
  },
});

/** A gateway in a folder with the TypeScript samples of a page. */
function gatewayOf(page: string, environment: () => Record<string, string> = () => ({})) {
  const running = {} as { gateway: SampleGateway; client: GraphqlClient };
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    running.gateway = await startSampleGateway(await sampleFolder(samplesOf('ts', page)), {
      environment: {
        DATABASE_URL: database.url,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_ADMIN_KEY: ADMIN_KEY,
        ...environment(),
      },
    });
    running.client = createGraphqlClient(() => running.gateway.url, ADMIN_KEY);
  });
  afterAll(async () => {
    await running.gateway.close();
    await database.drop();
  });
  return running;
}

describe(`gesso.config.ts of ${PROVIDER_PAGE}`, () => {
  let upstream: Upstream;
  beforeAll(async () => {
    upstream = await startUpstream(answering(png(plainPicture({ width: 96, height: 64 }))));
  });
  afterAll(() => upstream.close());
  const running = gatewayOf(PROVIDER_PAGE, () => ({
    EASEL_URL: upstream.url,
    EASEL_API_KEY: 'key-of-the-easel',
    // Production would refuse the sandbox: with a provider of one's own there is none.
    NODE_ENV: 'production',
  }));

  it('makes images by it, named or not', async () => {
    const { client } = running;
    for (const provider of ['easel', undefined]) {
      const result = await client.generateImage({ prompt: 'A boat', provider });
      expect(result).toMatchObject({
        __typename: 'GenerateImageSuccess',
        image: { width: 96, height: 64 },
      });
    }
    expect(upstream.requests).toHaveLength(2);
    expect(await client.query('{ providers { name models status } }')).toEqual({
      providers: [{ name: 'easel', models: ['easel-1'], status: 'AVAILABLE' }],
    });
  });

  it('refuses a size that it does not offer', async () => {
    const result = await running.client.generateImage({ prompt: 'A boat', size: 'LANDSCAPE_3840X2160' });
    expect(result).toMatchObject({ __typename: 'InvalidInputError', issues: [{ path: ['input', 'size'] }] });
  });

  it('ends a generation by what it throws: the very classes of the gateway', async () => {
    upstream.answerWith(answering({ status: 422, body: Buffer.from('No.') }));
    const result = await running.client.generateImage({ prompt: 'A boat' });
    expect(result).toMatchObject({
      __typename: 'ProviderRejectedError',
      generation: { attempts: [{ outcome: 'REJECTED', httpStatus: 422 }] },
    });
  });
});

const { default: house } = (await load(sampleOf(MIDDLEWARE_PAGE, 'ts', '// gesso.config.ts'))) as {
  default: GessoConfig;
};
for (const { requestMiddleware = [], attemptMiddleware = [] } of house.plugins ?? []) {
  for (const { middleware } of requestMiddleware)
    describeRequestMiddleware(middleware.name, () => middleware);
  for (const { middleware } of attemptMiddleware)
    describeAttemptMiddleware(middleware.name, () => middleware);
}

describe(`gesso.config.ts of ${MIDDLEWARE_PAGE}`, () => {
  const running = gatewayOf(MIDDLEWARE_PAGE);

  it('refuses a word, and sends nothing', async () => {
    const result = await running.client.generateImage({ prompt: 'A Dragon over the harbour' });
    expect(result).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'prompt'], message: 'must not have the word "dragon".' }],
    });
    expect(running.gateway.output).not.toMatch(/bettertoken: \d+ ms/);
  });

  it('measures every call', async () => {
    const result = await running.client.generateImage({ prompt: 'A boat over the harbour' });
    expect(result.__typename).toBe('GenerateImageSuccess');
    await expect.poll(() => running.gateway.output).toMatch(/^bettertoken: \d+ ms$/m);
  });
});

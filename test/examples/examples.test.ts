import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { answering, startUpstream } from '../../src/testing/upstream.ts';
import { type RunningCommand, startCommand } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  exampleNames,
  type InstalledExamples,
  importsOfExample,
  installExamples,
  manifestOf,
} from '../support/examples.ts';
import { createGraphqlClient, type GraphqlClient } from '../support/graphql-client.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const NAMES = await exampleNames();

let examples: InstalledExamples;
beforeAll(async () => {
  examples = await installExamples();
}, 240_000);
afterAll(() => examples?.remove());

describe.each(NAMES)('the example %s', (name) => {
  it('depends on gesso, and imports nothing else', async () => {
    const folder = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
    const { dependencies, devDependencies } = await manifestOf(folder);
    expect(Object.keys({ ...dependencies, ...devDependencies })).toEqual(['gesso', 'vitest']);
    const others = (await importsOfExample(name)).filter(
      (imported) => !/^(gesso|gesso\/testing|vitest|node:.+)$/.test(imported),
    );
    expect(others).toEqual([]);
    expect(existsSync(join(folder, 'README.md'))).toBe(true);
  });

  it('has the types that it needs, under strict options', async () => {
    const { code, stdout } = await examples.checkTypes(name);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  }, 120_000);

  it('passes its own tests', async () => {
    const { code, stdout, stderr } = await examples.runTests(name);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
  }, 120_000);
});

describe('in a gateway,', () => {
  let database: TestDatabase;
  const running: RunningCommand[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  afterEach(async () => {
    for (const gateway of running.splice(0)) await end(gateway);
  });

  async function end(gateway: RunningCommand): Promise<void> {
    gateway.kill('SIGTERM');
    expect(await gateway.finished).toMatchObject({ code: 0, stderr: '' });
  }

  /** `gesso start` in the folder of the example. */
  async function start(
    example: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<{ client: GraphqlClient; gateway: RunningCommand }> {
    const gateway = startCommand(['start'], {
      command: [process.execPath, examples.bin],
      cwd: examples.folderOf(example),
      environment: {
        PORT: '0',
        LOG_LEVEL: 'warn',
        DATABASE_URL: database.url,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_ADMIN_KEY: ADMIN_KEY,
        ...environment,
      },
      timeoutMs: 120_000,
    });
    running.push(gateway);
    const [, url = ''] = await gateway.untilMatch(/is ready: (\S+)\/graphql\n/);
    return { client: createGraphqlClient(() => url, ADMIN_KEY), gateway };
  }

  it('image-extension adds its field to Image', async () => {
    const { client } = await start('image-extension');
    const { generateImage } = await client.query<{ generateImage: { image: object } }>(
      `mutation { generateImage(input: { prompt: "a boat", size: LANDSCAPE_1536X1024 }) {
        ... on GenerateImageSuccess { image { width height aspectRatio } } } }`,
    );
    expect(generateImage.image).toEqual({ width: 1536, height: 1024, aspectRatio: '3:2' });
  });

  it('prompt-policy refuses a word, and lets others pass', async () => {
    const { client } = await start('prompt-policy', { REFUSED_WORDS: 'dragon' });
    expect(await client.generateImage({ prompt: 'A Dragon!' })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: ['input', 'prompt'], message: 'must not have the word "dragon".' }],
    });
    expect(await client.generateImage({ prompt: 'A dragonfly' })).toMatchObject({
      __typename: 'GenerateImageSuccess',
    });
  });

  it('provider-in-one-file makes images', async () => {
    const picture = await plainPicture({ width: 96, height: 64 });
    const upstream = await startUpstream(
      answering({ status: 200, headers: { 'content-type': 'image/png' }, body: picture }),
    );
    try {
      const { client } = await start('provider-in-one-file', {
        PLAIN_HTTP_URL: upstream.url,
        PLAIN_HTTP_API_KEY: 'key-of-the-api',
        // Production would refuse the sandbox: with a provider of one's own there is none.
        NODE_ENV: 'production',
        GESSO_ADMIN_KEY: ADMIN_KEY,
      });
      expect(await client.generateImage({ prompt: 'a boat', size: 'SQUARE_1024X1024' })).toMatchObject({
        __typename: 'GenerateImageSuccess',
        image: { width: 96, height: 64 },
      });
      expect(upstream.requests.map(({ path }) => path)).toEqual(['/prompt/a%20boat?width=1024&height=1024']);
    } finally {
      await upstream.close();
    }
  });

  it('audit-to-file has every line in its file, also what was written around a restart', async () => {
    const path = join(examples.folderOf('audit-to-file'), 'audit.ndjson');
    const environment = { AUDIT_FILE: path };
    const written = () =>
      existsSync(path)
        ? readFileSync(path, 'utf8')
            .split('\n')
            .slice(0, -1)
            .map((line) => JSON.parse(line) as { requestId: string; action: string })
        : [];
    const actionsOf = (requestId: string) =>
      written().flatMap((line) => (line.requestId === requestId ? [line.action] : []));
    const ALL = ['GENERATION_REQUESTED', 'ATTEMPT_STARTED', 'ATTEMPT_FINISHED', 'GENERATION_SUCCEEDED'];
    const make = async (client: GraphqlClient, requestId: string) => {
      const query = 'mutation { generateImage(input: { prompt: "a boat" }) { __typename } }';
      await client.send(query, {}, { 'x-request-id': requestId });
    };

    const first = await start('audit-to-file', environment);
    await make(first.client, 'before');
    await end(first.gateway);
    running.length = 0;
    const second = await start('audit-to-file', environment);
    await make(second.client, 'after');
    // What other tests on the same server hold up comes later.
    await expect.poll(() => actionsOf('before'), { timeout: 20_000, interval: 50 }).toEqual(ALL);
    await expect.poll(() => actionsOf('after'), { timeout: 20_000, interval: 50 }).toEqual(ALL);
  });
});

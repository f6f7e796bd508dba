import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startedId } from './support/background.ts';
import { createTestDatabase } from './support/database.ts';
import { createGraphqlClient, type GraphqlClient } from './support/graphql-client.ts';
import {
  MAIN,
  runInBash,
  type SampleGateway,
  sampleFolder,
  startSampleGateway,
  substitute,
} from './support/readme-gateway.ts';
import { ROOT, sampleOf, samplesOf } from './support/readme-pages.ts';

/** Commands that a test can't run: they install, serve for ever, or would run this very test. */
const NOT_RUN = [
  'npm ci && npm start',
  'npm ci',
  'npm run dev',
  'npm test',
  'npm run check',
  'npm run format',
  'npm run codegen',
  'npm pack',
  'BETTERTOKEN_API_KEY=sk-your-key npm start',
];

/** The blocks that are run below, by what they begin with. */
const FIRST_IMAGE = 'curl -s http://localhost:4000/graphql';
const DOWNLOAD = 'curl -o by-hand.png';
const KEYS = 'npx gesso keys create';
/** Of the command line and of TypeScript files: run by readme-first-image.test.ts. */
const FIRST_STEPS = ['npx gesso generate', 'GESSO_API_KEY=$(cat .gesso/development-key) npx node'];
const SUBSCRIBE = 'curl -sN http://localhost:4000/graphql';
const PRODUCTION = 'npx node --env-file=production.env';

const commandsIn = (block: string): string[] =>
  block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line !== '');

describe('the shell samples', () => {
  it('are each run by a test, or can not be', () => {
    const run = [FIRST_IMAGE, DOWNLOAD, SUBSCRIBE, KEYS, PRODUCTION, ...FIRST_STEPS];
    const others = samplesOf('sh').filter(({ text }) => !run.some((beginning) => text.startsWith(beginning)));
    expect(new Set(others.flatMap(({ text }) => commandsIn(text)))).toEqual(new Set(NOT_RUN));
  });
});

describe('a newcomer', () => {
  let gateway: SampleGateway;
  beforeAll(async () => {
    // `npm start` is this, in a fresh folder.
    gateway = await startSampleGateway(await sampleFolder());
  });
  afterAll(() => gateway.close());

  const sh = (beginning: string, substitutions: Record<string, string>) => {
    const { text } = sampleOf('README.md', 'sh', beginning);
    return runInBash(substitute(text, substitutions), gateway.folder);
  };

  it('reads where it serves, that a sandbox draws, and where the development key is', () => {
    expect(gateway.output).toContain(`Gesso is ready: ${gateway.url}/graphql`);
    expect(gateway.output).toContain('Sandbox: no BETTERTOKEN_API_KEY is set');
    expect(gateway.output).toContain(join(gateway.folder, '.gesso', 'development-key'));
  });

  it('gets the answer that the README shows, and downloads the image', async () => {
    const printed = await sh(FIRST_IMAGE, { 'localhost:4000': `localhost:${gateway.port}` });
    const answer = JSON.parse(printed);
    const { url } = answer.data.generateImage.image;
    expect(url).toMatch(new RegExp(`^${gateway.url}/images/.+/.+\\.png$`));
    const shown = sampleOf('README.md', 'json', '{').text;
    answer.data.generateImage.image.url = JSON.parse(shown).data.generateImage.image.url;
    expect(answer).toEqual(JSON.parse(shown));

    await sh(DOWNLOAD, { '<the url of the answer>': url });
    const picture = await readFile(join(gateway.folder, 'by-hand.png'));
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    // The header's width and height.
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([1536, 1024]);
  });

  it('gets the same image again, for nothing', async () => {
    const again = JSON.parse(await sh(FIRST_IMAGE, { 'localhost:4000': `localhost:${gateway.port}` }));
    expect(again.data.generateImage).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
  });

  it('subscribes to a generation, by curl and by the program of docs/background.md', async () => {
    const key = (await readFile(join(gateway.folder, '.gesso', 'development-key'), 'utf8')).trim();
    const client = createGraphqlClient(() => gateway.url, key);
    const id = await startedId(client, { prompt: 'A paper boat that is watched' });
    const address = { 'localhost:4000': `localhost:${gateway.port}` };
    const { text } = sampleOf('docs/background.md', 'sh', SUBSCRIBE);
    const byCurl = await runInBash(
      substitute(text, { ...address, '<the id of the generation>': id }),
      gateway.folder,
    );
    expect(byCurl).toContain('"status":"SUCCEEDED"');
    expect(byCurl).toContain('event: complete');

    const sample = sampleOf('docs/background.md', 'ts', '// watch.ts');
    await writeFile(join(gateway.folder, 'watch.mts'), substitute(sample.text, address));
    await symlink(join(ROOT, 'node_modules'), join(gateway.folder, 'node_modules'));
    const byProgram = await runInBash(
      `GESSO_API_KEY=${key} ${process.execPath} watch.mts ${id}`,
      gateway.folder,
    );
    expect(byProgram).toContain("status: 'SUCCEEDED'");
  });

  it('makes a key beside the running gateway, calls with it, and finds it in the list', async () => {
    const printed = await sh(KEYS, { 'npx gesso': `${process.execPath} ${MAIN}` });
    const [key = '', heading, ...rows] = printed.trim().split('\n');
    expect(heading).toMatch(/^KEY +CLIENT +SCOPES/);
    expect(rows.join('\n')).toMatch(/\bmy-app +images:generate\b/);
    const { viewer } = await createGraphqlClient(() => gateway.url, key).query<{ viewer: object }>(
      '{ viewer { client { name } scopes } }',
    );
    expect(viewer).toEqual({ client: { name: 'my-app' }, scopes: ['images:generate'] });
  });

  it.each(samplesOf('graphql'))('sends the operation of $page', async ({ text }) => {
    const key = (await readFile(join(gateway.folder, '.gesso', 'development-key'), 'utf8')).trim();
    const { status, body } = await createGraphqlClient(() => gateway.url, key).send(text);
    expect(body.errors).toBeUndefined();
    expect(status).toBe(200);
    const answer = body.data?.generateImage;
    if (answer !== undefined) expect(answer.__typename).toBe('GenerateImageSuccess');
  });
});

describe('an operator', () => {
  it('starts it in production as the README says', async () => {
    const database = await createTestDatabase();
    const settings = sampleOf('README.md', 'dotenv', '# production.env');
    const folder = await sampleFolder([
      {
        ...settings,
        text: substitute(settings.text, {
          'postgres://gesso:password@db.internal:5432/gesso': database.url,
          '0.0.0.0': '127.0.0.1',
          'GESSO_URL_SECRET=<openssl rand -hex 32>': 'GESSO_URL_SECRET=url-secret-of-the-tests',
          'GESSO_ADMIN_KEY=<openssl rand -hex 32>': 'GESSO_ADMIN_KEY=admin-key-of-the-tests',
        }),
      },
    ]);
    const command = sampleOf('README.md', 'sh', PRODUCTION).text.trim();
    const [npx, node, ...nodeArguments] = substitute(command, { 'src/main.ts': MAIN }).split(' ');
    expect([npx, node]).toEqual(['npx', 'node']);
    const gateway = await startSampleGateway(folder, { nodeArguments });
    try {
      expect(gateway.output).toContain('Gesso is ready: https://images.example.com/graphql');
      expect(gateway.output).not.toContain('Development key');
      expect(gateway.output).not.toContain('Sandbox');
      const graphiql = await fetch(`${gateway.url}/graphql`, { headers: { accept: 'text/html' } });
      expect(await graphiql.text()).not.toContain('<html');
      const admin = createGraphqlClient(() => gateway.url, 'admin-key-of-the-tests');
      expect(await admin.query('{ viewer { scopes } providers { name } }')).toEqual({
        viewer: { scopes: ['admin'] },
        providers: [{ name: 'bettertoken' }],
      });
    } finally {
      expect(await gateway.close()).toBe(0);
      await database.drop();
    }
  });
});

describe('gesso.config.ts of the README', () => {
  const ADMIN_KEY = 'admin-key-of-the-tests';
  let gateway: SampleGateway;
  let client: GraphqlClient;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const database = await createTestDatabase();
    drop = database.drop;
    gateway = await startSampleGateway(await sampleFolder(samplesOf('ts', 'README.md')), {
      environment: {
        DATABASE_URL: database.url,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_ADMIN_KEY: ADMIN_KEY,
      },
    });
    client = createGraphqlClient(() => gateway.url, ADMIN_KEY);
  });
  afterAll(async () => {
    await gateway.close();
    await drop();
  });

  it('gives every prompt the style of the house', async () => {
    const { generation } = await client.generateImage({ prompt: 'A boat' });
    const { node } = await client.query<{ node: object }>(
      'query ($id: ID!) { node(id: $id) { ... on Generation { prompt status } } }',
      { id: generation?.id },
    );
    expect(node).toEqual({ prompt: 'A boat, flat colours on a white ground', status: 'SUCCEEDED' });
  });
});

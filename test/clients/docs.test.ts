import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { commitMutation, type Environment } from 'relay-runtime';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientsGateway, startClientsGateway } from '../support/clients-gateway.ts';
import { substitute } from '../support/readme-gateway.ts';
import { ROOT, sampleOf, samplesOf } from '../support/readme-pages.ts';
import { GENERATE_IMAGE } from './support/operations.ts';
import { compileRelay, RELAY_CONFIGURATION } from './support/relay-compile.ts';
import { SCHEMA_TEXT } from './support/schema-text.ts';

const PAGE = 'docs/clients.md';
/** Samples that others import, and what is run below in another way. */
const MODULES = ['gesso-schema.ts', 'relay-environment.ts'];

let gateway: ClientsGateway;
let folder: string;
let key: string;
beforeAll(async () => {
  gateway = await startClientsGateway();
  key = await gateway.createKey();
  folder = await mkdtemp(join(tmpdir(), 'gesso-clients-'));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(folder, 'schema.graphql'), SCHEMA_TEXT);
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const { host } = new URL(gateway.url);
  for (const { fileName, text } of samplesOf('ts', PAGE)) {
    const own = text.includes('localhost:4000') ? substitute(text, { 'localhost:4000': host }) : text;
    await writeFile(join(folder, fileName ?? ''), own);
  }
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

const PROGRAMS = samplesOf('ts', PAGE)
  .map(({ fileName = 'a sample without a name' }) => fileName)
  .filter((name) => !MODULES.includes(name));

describe(`the samples of ${PAGE}`, () => {
  it.each(PROGRAMS)('%s makes an image, and complains of nothing', async (name) => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [name], {
      cwd: folder,
      env: { PATH: process.env.PATH, GESSO_API_KEY: key },
    });
    expect(stdout).toContain('GenerateImageSuccess');
    expect(stdout).toContain('/images/');
    expect(stderr).toBe('');
  });

  it('relay-environment.ts makes an image, compiled as relay.config.json says', async () => {
    expect(JSON.parse(sampleOf(PAGE, 'json', '{').text)).toEqual(RELAY_CONFIGURATION);
    const artifacts = await compileRelay();
    try {
      vi.stubEnv('GESSO_API_KEY', key);
      const path = join(folder, 'relay-environment.ts');
      const { environment } = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as {
        environment: Environment;
      };
      const answer = await new Promise((resolve, reject) => {
        commitMutation(environment, {
          mutation: artifacts.request(GENERATE_IMAGE.name),
          variables: { input: { prompt: 'A paper boat', idempotencyKey: crypto.randomUUID() } },
          onCompleted: resolve,
          onError: reject,
        });
      });
      expect(answer).toMatchObject({ generateImage: { __typename: 'GenerateImageSuccess' } });
    } finally {
      await artifacts.remove();
    }
  });
});

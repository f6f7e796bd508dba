import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config.ts';
import { runCommand } from '../support/command.ts';
import {
  copiedFiles,
  deployFile,
  instructions,
  isSetting,
  kubernetes,
  reachesTheBuilder,
  serviceOf,
} from '../support/deploy.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { deadLinksOf, ROOT } from '../support/readme-pages.ts';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  devDependencies: Record<string, string>;
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway?.close());

describe('deploy/Dockerfile', () => {
  it('copies what is there, and what .dockerignore lets through', () => {
    const files = copiedFiles();
    expect(files).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'src', 'bin']));
    expect(files.filter((path) => !reachesTheBuilder(path))).toEqual([]);
    expect(
      ['.env', 'deploy/.env', '.git', '.gesso', 'node_modules', 'test'].filter(reachesTheBuilder),
    ).toEqual([]);
  });

  it('has the Node that the tests ran with, in every stage', () => {
    const bases = instructions('FROM').map((text) => text.split(' ')[0]);
    expect(new Set(bases)).toEqual(new Set([`node:${manifest.devDependencies.node}-trixie-slim`]));
  });

  it('serves other machines, from a folder that belongs to its user', () => {
    const environment = Object.fromEntries(
      instructions('ENV').flatMap((text) =>
        text.split(' ').map((part) => part.split('=') as [string, string]),
      ),
    );
    expect(Object.keys(environment).filter((name) => !isSetting(name))).toEqual([]);
    expect(environment).toEqual({ HOST: '0.0.0.0', PORT: SETTINGS.port.default, GESSO_DATA_DIR: '/data' });
    expect(instructions('EXPOSE')).toEqual([environment.PORT]);
    expect(instructions('VOLUME')).toEqual([environment.GESSO_DATA_DIR]);
    expect(instructions('RUN').join('\n')).toContain('install -d -o node -g node -m 0700 /data');
    expect(Number(instructions('USER').at(-1)?.split(':')[0])).toBeGreaterThan(0);
  });

  it('is healthy when its gateway is, and not when nobody answers', async () => {
    const [, json = '[]'] = /CMD (\[.*\])$/.exec(instructions('HEALTHCHECK').join()) ?? [];
    const [program, ...args] = JSON.parse(json) as string[];
    expect(program).toBe('node');
    const check = async (port: string) => {
      const options = { command: [process.execPath], cwd: tmpdir(), environment: { PORT: port } };
      return (await runCommand(args, options)).code;
    };
    expect(await check(new URL(gateway.url).port)).toBe(0);
    // Nothing may listen on port 1 but a service of 1988.
    expect(await check('1')).toBe(1);
  });

  it('is called by the version in all places', () => {
    const tags = [`gesso:${manifest.version}`, `gesso:${manifest.version}-slim`];
    for (const path of ['Dockerfile', 'README.md']) {
      const named = [...deployFile(path).matchAll(/\bgesso:\d[\w.-]*/g)].map(([tag]) => tag);
      expect(named.length, path).toBeGreaterThan(0);
      expect(named.filter((tag) => !tags.includes(tag))).toEqual([]);
    }
    const slim = `gesso:${manifest.version}-slim`;
    expect([serviceOf('gateway-1').image, serviceOf('gateway-2').image]).toEqual([slim, slim]);
    expect(kubernetes.deployment.spec.template.spec.containers[0].image).toBe(slim);
    const [image] = kubernetes.kustomization.images;
    expect([image?.name, image?.newTag]).toEqual(slim.split(':'));
  });
});

describe('deploy/README.md', () => {
  it('links to nothing that is missing', () => {
    expect(
      deadLinksOf({ path: 'deploy/README.md', text: deployFile('README.md').replaceAll(/\]\(#.*?\)/g, '') }),
    ).toEqual([]);
  });
});

import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  MAIN,
  runInBash,
  type SampleGateway,
  sampleFolder,
  startSampleGateway,
  substitute,
} from './support/readme-gateway.ts';
import { ROOT, samplesOf } from './support/readme-pages.ts';

const PAGES = ['README.md', 'docs/first-image.md'];
const COMMAND = 'npx gesso generate';
const PROGRAM = 'GESSO_API_KEY=$(cat .gesso/development-key) npx node ';

let gateway: SampleGateway;
beforeAll(async () => {
  gateway = await startSampleGateway(await sampleFolder());
  await symlink(join(ROOT, 'node_modules'), join(gateway.folder, 'node_modules'));
});
afterAll(() => gateway.close());

const shellSamples = samplesOf('sh').filter(({ page }) => PAGES.includes(page));

describe('from the terminal', () => {
  const commands = shellSamples.filter(({ text }) => text.startsWith(COMMAND));

  it('has samples', () => expect(commands).toHaveLength(3));

  it.each(commands)('makes what it says: $text', async ({ text }) => {
    const command = substitute(text, { 'npx gesso': `${process.execPath} ${MAIN}` });
    // The page of the same command has been here before: its file is not overwritten unasked.
    await runInBash(`rm -f *.png *.webp; GESSO_URL=${gateway.url} ${command}`, gateway.folder);
    const [, output = ''] = /--output (\S+)/.exec(text) ?? [];
    const count = Number(/--count (\d)/.exec(text)?.[1] ?? 1);
    const names = Array.from({ length: count }, (_, index) =>
      count === 1 ? output : output.replace('.', `-${index + 1}.`),
    );
    for (const name of names) {
      const { format, width } = await sharp(join(gateway.folder, name)).metadata();
      expect({ format, width }).toEqual(
        name.endsWith('.webp') ? { format: 'webp', width: 800 } : { format: 'png', width: 1536 },
      );
    }
  });
});

describe('from a program', () => {
  const programs = shellSamples.filter(({ text }) => text.startsWith(PROGRAM));

  it('has samples', () => expect(programs).toHaveLength(3));

  it.each(programs)('makes a picture: $page, $text', async ({ page, text }) => {
    const fileName = text.slice(PROGRAM.length).trim();
    const sample = samplesOf('ts', page).find((candidate) => candidate.fileName === fileName);
    const client = { "'gesso/client'": JSON.stringify(join(ROOT, 'src/client/index.ts')) };
    const source = substitute(sample?.text ?? '', {
      'localhost:4000': `localhost:${gateway.port}`,
      ...(fileName === 'apollo.ts' ? {} : client),
    });
    await writeFile(join(gateway.folder, fileName.replace('.ts', '.mts')), source);
    const command = substitute(text, { 'npx node': process.execPath, '.ts': '.mts' });
    const printed = await runInBash(command, gateway.folder);
    if (fileName === 'apollo.ts') {
      expect(JSON.parse(printed).generateImage).toMatchObject({
        __typename: 'GenerateImageSuccess',
        image: { width: 1024, height: 1024 },
      });
    } else {
      const [url = '', width, height] = printed.trim().split(' ');
      const saved = await readFile(join(gateway.folder, 'harbour.png'));
      expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(saved)).toBe(true);
      expect(`${width} ${height}`).toBe(`${saved.readUInt32BE(16)} ${saved.readUInt32BE(20)}`);
    }
  });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/program.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { createHeldPictures } from '../../support/held-pictures.ts';
import { stripColours, testTerminal } from '../support/test-terminal.ts';

const held = createHeldPictures();
let gateway: TestGateway;
let made: { generation: string; image: string; imageId: string; sha256: string };
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: held.paint } });
  const { generation, image } = await gateway.generateImage({
    prompt: 'A red boat',
    idempotencyKey: freshKey(),
  });
  const uuid = (id = '') => Buffer.from(id, 'base64').toString().split(':')[1] ?? '';
  made = {
    generation: uuid(generation?.id),
    image: uuid(image?.id),
    imageId: image?.id ?? '',
    sha256: image?.sha256 ?? '',
  };
});
afterAll(async () => {
  held.release();
  await gateway.close();
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-image-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function gesso(...args: string[]) {
  const environment = { GESSO_URL: gateway.url, GESSO_API_KEY: ADMIN_KEY };
  const terminal = testTerminal({ folder, environment });
  const code = await run(['node', 'gesso', ...args], terminal);
  const { stdout, stderr } = terminal.written;
  return { code, bytes: stdout, stdout: stripColours(stdout.toString()), stderr: stripColours(stderr) };
}

describe('gesso image', () => {
  it('writes an image by its id or its generation, in short and as the API has it', async () => {
    for (const id of [made.image, made.generation, made.imageId]) {
      const { code, stdout } = await gesso('image', id, '--json');
      expect(code, id).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ sha256: made.sha256, imageId: made.imageId });
    }
    expect((await readdir(folder)).sort()).toEqual([
      'a-red-boat-2.png',
      'a-red-boat-3.png',
      'a-red-boat.png',
    ]);
  });

  it('writes it smaller, and in another format, to a file or a pipe', async () => {
    const { code, stdout } = await gesso('image', made.image, '-o', 'small.webp', '--max-width', '10');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^✓ small\.webp\n {2}10 × 10, \d+ B WebP, bettertoken, [\d.]+ s\n/);
    expect((await sharp(await readFile(join(folder, 'small.webp'))).metadata()).width).toBe(10);
    const piped = await gesso('image', made.image, '-o', '-', '--format', 'avif');
    expect((await sharp(piped.bytes).metadata()).format).toBe('heif');
  });

  it('says that there is none, that it is no id, or that it is not done yet', async () => {
    const none = await gesso('image', '00000000-0000-7000-8000-000000000000');
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no such image or generation'),
    });
    expect(await gesso('image', 'lighthouse')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('gesso: "lighthouse" is no id.'),
    });
    held.hold('slow');
    const id = await startedGeneration('A slow boat');
    expect(await gesso('image', id)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('It is still'),
    });
    held.release();
  });
});

describe('gesso cancel', () => {
  it('stops a generation, and says that it may be billed all the same', async () => {
    held.hold('late');
    const id = await startedGeneration('A late boat');
    const isSent = () => gateway.sandbox.journal.billed().some(({ body }) => body.includes('A late boat'));
    await expect.poll(isSent, { timeout: 15_000 }).toBe(true);
    const { code, stdout } = await gesso('cancel', id);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'Canceled. A call had been sent: the provider may make the image all the same, and bill it.\n',
    });
    held.release();
    const rows = await gateway.sql<{ status: string }>('select status from generations where id = $1', [id]);
    expect(rows[0]?.status).toBe('CANCELED');
  });

  it('says that it had ended, or that there is none', async () => {
    expect((await gesso('cancel', made.generation)).code).toBe(1);
    const { code, stderr } = await gesso('cancel', '00000000-0000-7000-8000-000000000000');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^gesso: There is no such generation/);
  });
});

/** The UUID of a generation that was started and goes on. */
async function startedGeneration(prompt: string): Promise<string> {
  const { startGeneration } = await gateway.query<{ startGeneration: { generation: { id: string } } }>(
    `mutation ($input: GenerateImageInput!) {
      startGeneration(input: $input) { ... on StartGenerationSuccess { generation { id } } }
    }`,
    { input: { prompt } },
  );
  return Buffer.from(startGeneration.generation.id, 'base64').toString().split(':')[1] ?? '';
}

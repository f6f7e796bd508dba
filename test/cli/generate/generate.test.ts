import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/program.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { closedPort } from '../support/closed-port.ts';
import {
  plainLines,
  stripColours,
  type TestTerminalOptions,
  testTerminal,
} from '../support/test-terminal.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-generate-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs it in the folder of the test. */
async function generate(args: readonly string[], options: TestTerminalOptions = {}) {
  const environment = { GESSO_URL: gateway.url, GESSO_API_KEY: ADMIN_KEY, ...options.environment };
  const terminal = testTerminal({ folder, ...options, environment });
  const code = await run(['node', 'gesso', 'generate', ...args], terminal);
  const { stdout, stderr } = terminal.written;
  return { code, bytes: stdout, stdout: stripColours(stdout.toString()), stderr: stripColours(stderr) };
}

const sizeOf = async (file: string) => {
  const { format, width, height } = await sharp(await readFile(join(folder, file))).metadata();
  return [format, width, height];
};
const billed = () => gateway.sandbox.journal.billed().length;

describe('gesso generate', () => {
  it('writes a PNG that is named after the prompt, and says what it is', async () => {
    const { code, stdout, stderr } = await generate([
      'A lighthouse, gouache!',
      '--size',
      'landscape-1536x1024',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await readdir(folder)).toEqual(['a-lighthouse-gouache.png']);
    const [, width, height] = await sizeOf('a-lighthouse-gouache.png');
    const lines = plainLines(stdout);
    expect(lines[0]).toBe('✓ a-lighthouse-gouache.png');
    expect(lines[1]).toMatch(new RegExp(`^  ${width} × ${height}, [\\d.]+ k?B PNG, bettertoken, [\\d.]+ s$`));
    expect(lines[2]).toMatch(/^ {2}Drawn as: A lighthouse, gouache! \(as painted/);
    expect(lines[3]).toMatch(/^ {2}Key: [\w-]{36} \(with --key: the same again\)$/);
  });

  it('writes several, numbered, in the format of the name', async () => {
    const { code, stdout } = await generate([
      'A poster',
      '--count',
      '3',
      '-o',
      'poster.webp',
      '--max-width',
      '16',
    ]);
    expect(code).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['poster-1.webp', 'poster-2.webp', 'poster-3.webp']);
    expect(await sizeOf('poster-3.webp')).toEqual(['webp', 16, expect.any(Number)]);
    expect(plainLines(stdout).filter((line) => line.startsWith('✓ poster-'))).toHaveLength(3);
  });

  it('gets the same image with the same key, and buys nothing', async () => {
    const key = freshKey();
    await generate(['A boat', '--key', key, '-o', 'first.png']);
    const before = billed();
    const { code, stdout } = await generate(['A boat', '--key', key, '-o', 'second.png']);
    expect({ code, bought: billed() - before }).toEqual({ code: 0, bought: 0 });
    expect(stdout).toContain('replayed: nothing was bought');
    expect(await readFile(join(folder, 'second.png'))).toEqual(await readFile(join(folder, 'first.png')));
  });

  it('writes the picture to a pipe, and nothing else', async () => {
    const { code, bytes, stderr } = await generate(['A boat', '--output', '-', '--format', 'jpeg']);
    expect(code).toBe(0);
    expect((await sharp(bytes).metadata()).format).toBe('jpeg');
    expect(stderr).toContain('✓ written to standard output');
    expect(await readdir(folder)).toEqual([]);
  });

  it('reads the prompt from standard input', async () => {
    await generate(['-'], { input: 'A boat\nin the rain\n' });
    expect(await readdir(folder)).toEqual(['a-boat-in-the-rain.png']);
    expect(gateway.sandbox.journal.entries.at(-1)?.json).toMatchObject({ prompt: 'A boat\nin the rain' });
  });

  it('tells programs all of it in one JSON document', async () => {
    const key = freshKey();
    const { code, stdout } = await generate(['A boat', '--json', '--key', key, '-o', 'boat.avif']);
    expect(code).toBe(0);
    const [generation] = await gateway.sql<{ id: string }>(
      'select id from generations where idempotency_key = $1',
      [key],
    );
    const { images, idempotencyKey } = JSON.parse(stdout);
    expect(idempotencyKey).toBe(key);
    expect(images).toEqual([
      expect.objectContaining({
        ok: true,
        file: 'boat.avif',
        contentType: 'image/avif',
        replayed: false,
        provider: 'bettertoken',
        attempts: 1,
        seconds: expect.any(Number),
      }),
    ]);
    expect(Buffer.from(images[0].generationId, 'base64').toString()).toBe(`Generation:${generation?.id}`);
    expect(images[0].byteSize).toBe((await readFile(join(folder, 'boat.avif'))).byteLength);
  });
});

describe('gesso generate, before it asks for anything', () => {
  it.each<[string[], string]>([
    [['A boat', '-o', 'boat.webp', '--format', 'png'], '--format png contradicts the name boat.webp.'],
    [['A boat', '-o', 'boat.gif'], '".gif" is no image format that can be written.'],
    [['A boat', '-o', 'nowhere/boat.png'], 'There is no folder nowhere.'],
    [['A boat', '-o', 'there.png'], 'there.png is there already.'],
    [['A boat', '-o', '-', '--count', '2'], 'Several images do not go into one pipe.'],
    [['A boat', '--quality', '80'], '--quality is for JPEG, WebP and AVIF only; a PNG is always exact.'],
    [
      ['A boat', '--fit', 'cover', '--max-width', '20'],
      '--fit cover needs both --max-width and --max-height.',
    ],
    [['A boat', '--size', '100x100'], 'There is no size "100x100".'],
    [['A boat', '--key', 'ключ'], '--key takes 1 to 255 printable ASCII characters.'],
    [['   '], 'The prompt is empty.'],
    [['A boat', '--url', 'ftp://gesso'], 'The URL of the gateway must begin with http:// or https://.'],
    [['A boat', '--api-key-file', 'nowhere'], "The API key can't be read: ENOENT"],
  ])('refuses %j, with exit code 2', async (args, message) => {
    await writeFile(join(folder, 'there.png'), 'mine');
    const before = gateway.sandbox.journal.entries.length;
    const { code, stdout, stderr } = await generate(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.split('\n')[0]).toContain(`gesso: ${message}`);
    expect(gateway.sandbox.journal.entries).toHaveLength(before);
    expect(await readFile(join(folder, 'there.png'), 'utf8')).toBe('mine');
  });

  it('refuses to write a picture to a terminal', async () => {
    const { code, stderr } = await generate(['A boat', '-o', '-'], { columns: 80 });
    expect(code).toBe(2);
    expect(stderr).toContain("gesso: A picture can't be shown in a terminal.");
  });

  it('refuses an option that is none, or a count that is too large', async () => {
    for (const args of [['--nonsense'], ['--count', '11'], ['--delivery', 'maybe'], ['--format', 'gif']]) {
      expect((await generate(['A boat', ...args])).code, args.join(' ')).toBe(2);
    }
  });

  it('never replaces a file that it named itself, and one that you named with --force alone', async () => {
    await writeFile(join(folder, 'a-boat.png'), 'mine');
    await generate(['A boat']);
    expect((await readdir(folder)).sort()).toEqual(['a-boat-2.png', 'a-boat.png']);
    await generate(['A boat', '--force']);
    expect((await sizeOf('a-boat.png'))[0]).toBe('png');
    expect((await readdir(folder)).sort()).toEqual(['a-boat-2.png', 'a-boat.png']);
  });
});

describe('gesso generate, when it fails', () => {
  const status = (code: number, error: object = {}) => ({ kind: 'status', status: code, ...error }) as const;

  it('says that nothing answers, at once, and what to do: exit code 5', async () => {
    const { port, release } = await closedPort();
    const { code, stderr } = await generate(['A boat', '--url', `http://127.0.0.1:${port}`]);
    release();
    expect(code).toBe(5);
    expect(plainLines(stderr)).toEqual([
      expect.stringMatching(/^gesso: Nothing answers at http:\/\/127\.0\.0\.1:\d+\.$/),
      '       Start a gateway there (gesso start), or name another one with --url.',
    ]);
  });

  it('says that there is no key, or that it is refused: exit code 1', async () => {
    const none = await generate(['A boat'], { environment: { GESSO_API_KEY: '' } });
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no API key for http') });
    const wrong = await generate(['A boat'], { environment: { GESSO_API_KEY: 'hunter2' } });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses the API key.') });
    expect(wrong.stderr).not.toContain('hunter2');
  });

  it('says that policy refused it: exit code 3', async () => {
    gateway.sandbox.behave(status(400, { code: 'content_policy_violation', message: 'Not this.' }));
    const { code, stderr } = await generate(['Something bad']);
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^gesso: The provider's policy refused it: .*Not this\..*\n {7}Change the prompt\.\n$/,
    );
  });

  it.each([401, 403, 404])(
    'says that the gateway is set wrongly where the provider answers %i: exit code 5',
    async (code) => {
      gateway.sandbox.behave(status(code));
      const failed = await generate(['A boat']);
      expect(failed.code).toBe(5);
      expect(failed.stderr).toMatch(/^gesso: The provider refused the gateway, not the request: /);
      expect(failed.stderr).toContain("The gateway's key or URL for bettertoken is wrong.");
    },
  );

  it('says that the request is refused: exit code 3', async () => {
    gateway.sandbox.behave(status(400));
    const { code, stderr } = await generate(['A boat']);
    expect(code).toBe(3);
    expect(stderr).toContain('Change the request.');
  });

  it('thinks of another gateway where the development key of the folder is refused', async () => {
    await mkdir(join(folder, '.gesso'));
    await writeFile(join(folder, '.gesso', 'development-key'), 'hunter2');
    const { code, stderr } = await generate(['A boat'], { environment: { GESSO_API_KEY: '' } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/another gateway may .* --url or GESSO_URL\..* gesso keys create <name>/);
    expect(stderr).not.toContain('hunter2');
  });

  it('says that it may be billed: exit code 4', async () => {
    gateway.sandbox.behave({ kind: 'reset', at: 'before-headers' });
    const { code, stderr } = await generate(['A boat', '--delivery', 'at-most-once']);
    expect(code).toBe(4);
    expect(stderr).toContain('It was sent, and no answer came: the image may exist, and may be billed.');
    expect(stderr).toMatch(/Details: gesso audit --generation [\w-]{36}\n$/);
  });

  it('tells of what is tried again, and that it may go later: exit code 5', async () => {
    gateway.sandbox.behave(status(503), status(503), status(503), status(503));
    const { code, stderr } = await generate(['A boat', '-o', 'boat.png']);
    expect(code).toBe(5);
    expect(stderr).toContain('gesso: boat.png: waiting to try again after 503, attempt 1 at bettertoken\n');
    expect(stderr).toContain('gesso: The provider is not available: ');
  });

  it('says what a key was used for before: exit code 2', async () => {
    const key = freshKey();
    await generate(['A boat', '--key', key]);
    const { code, stderr } = await generate(['Another boat', '--key', key]);
    expect(code).toBe(2);
    const id = /What this one made: gesso image ([\w-]{36})\n$/.exec(stderr)?.[1];
    const rows = await gateway.sql('select 1 from generations where id = $1 and idempotency_key = $2', [
      id,
      key,
    ]);
    expect(rows).toHaveLength(1);
  });

  it('writes those that came, and ends with what matters most', async () => {
    gateway.sandbox.behave(status(400, { code: 'moderation_blocked' }), { kind: 'normal' });
    const { code, stdout, stderr } = await generate(['A boat', '-n', '2', '-o', 'boat.png']);
    expect(code).toBe(3);
    const files = await readdir(folder);
    expect(files).toHaveLength(1);
    expect(stdout).toContain(`✓ ${files[0]}`);
    const missing = files[0] === 'boat-1.png' ? 'boat-2.png' : 'boat-1.png';
    expect(stderr).toContain(`gesso: ${missing}: The provider's policy refused it`);
  });

  it.each(['1', '2'])('tells programs why, in one JSON document: --count %s', async (count) => {
    gateway.sandbox.behave(status(400, { code: 'moderation_blocked' }));
    const { code, stdout, stderr } = await generate(['A boat', '-n', count, '--json']);
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    const { images } = JSON.parse(stdout);
    expect(images.find(({ ok }: { ok: boolean }) => !ok)).toMatchObject({
      code: 'CONTENT_POLICY',
      retryable: false,
      generationId: expect.any(String),
    });
  });
});

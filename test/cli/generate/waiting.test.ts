import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/program.ts';
import { runCommand, startCommand } from '../../support/command.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { createHeldPictures } from '../../support/held-pictures.ts';
import { stripColours, testTerminal } from '../support/test-terminal.ts';

const held = createHeldPictures();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: held.paint } });
});
afterAll(() => gateway.close());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gesso-cli-waiting-'));
});
afterEach(async () => {
  held.release();
  await rm(folder, { recursive: true, force: true });
});

const environment = () => ({ GESSO_URL: gateway.url, GESSO_API_KEY: ADMIN_KEY });
/** Resolves when the upstream draws it. */
const untilSent = (prompt: string) =>
  expect
    .poll(() => gateway.sandbox.journal.billed().some(({ json }) => JSON.stringify(json).includes(prompt)), {
      timeout: 15_000,
    })
    .toBe(true);

describe('gesso generate, at a terminal', () => {
  it('shows how it comes along, and leaves only what came of it', async () => {
    held.hold('slow boat');
    const prompt = `A slow boat ${freshKey()}`;
    const terminal = testTerminal({
      folder,
      columns: 80,
      environment: environment(),
      onStderr(text) {
        // Seen: now it may end.
        if (/\d s {2}drawing +attempt 1 at bettertoken/.test(stripColours(text))) held.release();
      },
    });
    expect(await run(['node', 'gesso', 'generate', prompt, '-o', 'boat.png'], terminal)).toBe(0);
    const { stdout, stderr } = terminal.written;
    expect(stripColours(stderr)).toContain('Ctrl-C stops the waiting, not the drawing.');
    expect(stripColours(stdout.toString())).toMatch(/^✓ boat\.png\n/);
    expect(stdout.toString()).toContain('\u001b[');
    // The last thing drawn is erased: two lines, and the one that the cursor stands on.
    expect(stderr.slice(stderr.lastIndexOf('Ctrl-C')).split('\u001b[2K').length - 1).toBeGreaterThanOrEqual(
      3,
    );
  });
});

describe('Ctrl-C', () => {
  it('tells how to get the picture later, and the generation goes on', async () => {
    held.hold('evening boat');
    const prompt = `An evening boat's ${freshKey()}`;
    const command = startCommand(['generate', prompt, '--output', 'boat.png', '--max-width', '32'], {
      cwd: folder,
      environment: environment(),
    });
    await untilSent('evening boat');
    command.kill('SIGINT');
    const { code, stdout, stderr } = await command.finished;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toContain('Stopped waiting.');
    const key = /--key ([\w-]+)$/m.exec(stderr)?.[1] ?? expect.fail(stderr);
    const id = /image ([\w-]{36}) --output boat\.png$/m.exec(stderr)?.[1];
    expect(stderr).toMatch(/generate 'An evening boat'\\''s [^']+' --output boat\.png --max-width 32 --key/);

    held.release();
    const rows = () =>
      gateway.sql<{ id: string; status: string }>(
        'select id, status from generations where idempotency_key = $1',
        [key],
      );
    await expect.poll(async () => (await rows())[0]?.status, { timeout: 15_000 }).toBe('SUCCEEDED');
    if (id !== undefined) expect((await rows())[0]?.id).toBe(id);

    const bought = gateway.sandbox.journal.billed().length;
    const args = ['generate', prompt, '--output', 'boat.png', '--max-width', '32', '--key', key];
    const again = await runCommand(args, { cwd: folder, environment: environment() });
    expect(again).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('replayed') });
    expect(gateway.sandbox.journal.billed()).toHaveLength(bought);
    expect(await readdir(folder)).toEqual(['boat.png']);
  });

  it('is 143 where it was SIGTERM', async () => {
    held.hold('night boat');
    const command = startCommand(['generate', 'A night boat', '-n', '2'], {
      cwd: folder,
      environment: environment(),
    });
    await untilSent('night boat');
    command.kill('SIGTERM');
    const { code, stderr } = await command.finished;
    expect(code).toBe(143);
    expect(stderr).toMatch(/generate 'A night boat' --count 2 --key [\w-]+$/m);
  });
});

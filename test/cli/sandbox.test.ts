import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { startCommand } from '../support/command.ts';

async function sandbox(...args: string[]) {
  const command = startCommand(['sandbox', '--port', '0', '--latency-ms', '0', ...args], { cwd: tmpdir() });
  const [printed, baseUrl = ''] = await command.untilMatch(/sandbox is ready: (\S+)[\s\S]*Ctrl-C/);
  const draw = (key: string) =>
    fetch(`${baseUrl}/images/generations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-image-2', prompt: 'a boat', n: 1, size: '1024x1024' }),
    });
  return { ...command, printed, baseUrl, draw };
}

describe('gesso sandbox', () => {
  it('draws, with the environment that it prints, until SIGINT or SIGTERM', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const { printed, baseUrl, draw, kill, finished } = await sandbox();
      const url = /^ *export BETTERTOKEN_BASE_URL=(\S+)$/m.exec(printed)?.[1];
      const key = /^ *export BETTERTOKEN_API_KEY=(\S+)$/m.exec(printed)?.[1] ?? '';
      expect(url).toBe(baseUrl);
      expect((await draw(key)).status).toBe(200);
      kill(signal);
      expect(await finished).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('takes the one key that it is given', async () => {
    const { printed, draw, kill, finished } = await sandbox('--api-key', 'made-up');
    expect(printed).toContain('export BETTERTOKEN_API_KEY=made-up');
    expect([(await draw('made-up')).status, (await draw('other')).status]).toEqual([200, 401]);
    kill('SIGTERM');
    await finished;
  });

  it('misbehaves once by the command that it prints', async () => {
    const { printed, draw, kill, finished } = await sandbox();
    const [, url = '', body = ''] =
      /curl (\S+) \\\n +-H content-type:application\/json -d '([^']+)'/.exec(printed) ?? [];
    const asked = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(asked.status).toBe(200);
    expect([(await draw('any')).status, (await draw('any')).status]).toEqual([503, 200]);
    const journal = /curl (\S+\/sandbox\/journal)/.exec(printed)?.[1] ?? '';
    expect(await (await fetch(journal)).json()).toMatchObject({ entries: [{}, {}] });
    kill('SIGTERM');
    await finished;
  });
});

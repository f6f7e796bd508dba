import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/program.ts';
import { widthOf } from '../../../src/cli/terminal/text.ts';
import { ADMIN_KEY, freshKey, startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { runInBash } from '../../support/readme-gateway.ts';
import {
  plainLines,
  stripColours,
  type TestTerminalOptions,
  testTerminal,
} from '../support/test-terminal.ts';

let gateway: TestGateway;
let shopKey: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  const make = (prompt: string) => gateway.generateImage({ prompt, idempotencyKey: freshKey() });
  await make('夜明けの崖の上の灯台 🗼 \u001b[31mやわらかい光、ガッシュ、静かな海とたくさんのかもめ');
  gateway.sandbox.behave({ kind: 'status', status: 400, code: 'content_policy_violation' });
  await make('Something bad');
  const shop = await gateway.createClient('shop');
  shopKey = shop.key;
  await shop.generateImage({ prompt: 'A boat of the shop', idempotencyKey: freshKey() });
});
afterAll(() => gateway.close());

async function gesso(args: string, options: TestTerminalOptions = {}) {
  const environment = { GESSO_URL: gateway.url, GESSO_API_KEY: ADMIN_KEY, ...options.environment };
  const terminal = testTerminal({ ...options, environment });
  const code = await run(['node', 'gesso', ...args.split(' ')], terminal);
  const { stdout, stderr } = terminal.written;
  return { code, raw: stdout.toString(), lines: plainLines(stdout), stderr: stripColours(stderr) };
}
const documents = async (args: string, options: TestTerminalOptions = {}) =>
  // biome-ignore lint/suspicious/noExplicitAny: asserted on by the test
  (await gesso(`${args} --json`, options)).lines.filter(Boolean).map((line): any => JSON.parse(line));

describe('gesso generations', () => {
  it('is a table, newest first, whole in a pipe, and harmless', async () => {
    const { code, lines, raw } = await gesso('generations');
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^GENERATION +CREATED +STATUS +RESULT +TIME +PROVIDER +CLIENT +PROMPT$/);
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(
      /^[\w-]{36} {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}SUCCEEDED +\d+x\d+ .* shop +A boat of the shop$/,
    );
    expect(lines[2]).toMatch(/ FAILED +content-policy .* Something bad$/);
    expect(lines[3]).toContain('静かな海とたくさんのかもめ');
    expect(raw).not.toContain('\u001b[31mや');
  });

  it.each([60, 80, 120])('fits into a terminal of %i columns', async (columns) => {
    const { lines, raw } = await gesso('generations', { columns });
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(Math.max(columns, 78));
    expect(lines[1]).toMatch(/just now|s ago/);
    expect(raw).toContain('\u001b[32mSUCCEEDED');
  });

  it('tells in a narrow terminal what came of it, and by whom, and the end of the id, which commands take', async () => {
    const { lines } = await gesso('generations', { columns: 80 });
    expect(lines[0]).toMatch(/^GENERATION +CREATED +STATUS +RESULT .*PROVIDER/);
    expect(lines.find((line) => line.includes(' Someth'))).toMatch(/FAILED +content-policy .*bettertoken/);
    const [ending = ''] = lines.find((line) => line.includes('content-policy'))?.split(' ') ?? [];
    expect(ending).toMatch(/^[0-9a-f]{12}$/);
    const about = await documents(`audit --generation ${ending}`);
    expect(about.map(({ action }) => action)).toContain('GENERATION_FAILED');
    const none = await gesso('audit --generation 000000000000');
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('No generation of the newest') });
  });

  it('is NDJSON with the ids of the API', async () => {
    const all = await documents('generations');
    expect(all.map(({ prompt }) => prompt).slice(0, 2)).toEqual(['A boat of the shop', 'Something bad']);
    expect(all[1]).toMatchObject({ status: 'FAILED', image: null, failure: { code: 'CONTENT_POLICY' } });
    expect(all[0].image).toMatchObject({ contentType: 'image/png', sha256: expect.any(String) });
    const { node } = await gateway.query<{ node: object }>(
      'query ($id: ID!) { node(id: $id) { __typename } }',
      {
        id: all[0].id,
      },
    );
    expect(node).toEqual({ __typename: 'Generation' });
  });

  it('is filtered, and limited', async () => {
    const prompts = async (args: string) => (await documents(args)).map(({ prompt }) => prompt);
    expect(await prompts('generations --status failed,unknown')).toEqual(['Something bad']);
    expect(await prompts('generations --client shop')).toEqual(['A boat of the shop']);
    expect(await prompts('generations --limit 1')).toEqual(['A boat of the shop']);
    expect(await prompts('generations --provider nobody')).toEqual([]);
    expect(await prompts('generations --since 1h')).toHaveLength(3);
    expect(await prompts('generations --since 2999-01-01')).toEqual([]);
  });

  it("finds clients by their id, and one's own by its name", async () => {
    const [{ client }] = await documents('generations --limit 1');
    expect(await documents(`generations --client ${client.id}`)).toHaveLength(1);
    const environment = { GESSO_API_KEY: shopKey };
    expect(await documents('generations --client shop', { environment })).toHaveLength(1);
    const { code, stderr } = await gesso('generations --client portal', { environment });
    expect(code).toBe(2);
    expect(stderr).toContain('Only a key with scope admin finds "portal" by its name.');
    expect((await gesso('generations --client nobody')).stderr).toContain('There is no client "nobody"');
  });

  it('says so where there are none', async () => {
    const { code, raw, stderr } = await gesso('generations --since 2999-01-01');
    expect({ code, raw, stderr }).toEqual({ code: 0, raw: '', stderr: 'There are no such generations.\n' });
  });

  it('refuses a status or a time that is none', async () => {
    const status = await gesso('generations --status done');
    expect(status).toMatchObject({ code: 2, stderr: expect.stringContaining('--status knows no "done".') });
    expect((await gesso('generations --since yesterday')).code).toBe(2);
    expect((await gesso('generations --limit 0')).code).toBe(2);
  });
});

describe('gesso audit', () => {
  it('is a table of what happened', async () => {
    const { code, lines } = await gesso('audit --limit 50');
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^TIME +ACTION +CLIENT +GENERATION +DETAILS$/);
    expect(lines.find((line) => line.includes('GENERATION_FAILED'))).toMatch(/ admin .* CONTENT_POLICY: /);
  });

  it('keeps the generation in a narrow terminal, and wraps what happened', async () => {
    const { lines } = await gesso('audit --limit 50', { columns: 80 });
    expect(lines[0]).toMatch(/^TIME +ACTION +(CLIENT +)?GENERATION +DETAILS$/);
    expect(lines.find((line) => line.includes('GENERATION_FAILED'))).toMatch(/ [0-9a-f]{12} +CONTENT_POLICY/);
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(80);
  });

  it('is filtered by what happened, and to which generation', async () => {
    const [{ id }] = await documents('generations --status failed');
    const uuid = Buffer.from(id, 'base64').toString().split(':')[1];
    const actions = (await documents(`audit --generation ${uuid}`)).map(({ action }) => action);
    expect(actions).toEqual([
      'GENERATION_FAILED',
      'ATTEMPT_FINISHED',
      'ATTEMPT_STARTED',
      'GENERATION_REQUESTED',
    ]);
    const made = await documents('audit --action api-key-created');
    expect(made.map(({ action }) => action)).toEqual(['API_KEY_CREATED']);
    expect((await gesso('audit --action nonsense')).code).toBe(2);
  });

  it('needs its scope', async () => {
    const { code, stderr } = await gesso('audit', { environment: { GESSO_API_KEY: shopKey } });
    expect(code).toBe(1);
    expect(stderr).toContain('lacks the scope');
  });
});

describe('standard output', () => {
  const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
  const inShell = (pipeline: (command: string) => string) =>
    runInBash(
      `export GESSO_URL=${gateway.url} GESSO_API_KEY=${ADMIN_KEY}
      ${pipeline(`"${process.execPath}" "${main}" audit --json`)}`,
      tmpdir(),
    );

  it('may lose its reader, who has seen enough', async () => {
    const told = await inShell(
      (audit) => `told=$({ { ${audit}; echo "code $?" >&2; } | true; } 2>&1); echo "$told"`,
    );
    expect(told).toBe('code 0\n');
  });

  it.skipIf(!existsSync('/dev/full'))('may have no room, which is a failure (needs /dev/full)', async () => {
    const told = await inShell((audit) => `{ ${audit} > /dev/full || echo "code $?"; } 2>&1`);
    expect(told).toMatch(/^gesso: .*ENOSPC.*\ncode 1\n$/);
  });
});

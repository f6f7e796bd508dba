import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { exitCodes } from '../../src/cli/help.ts';
import { createProgram } from '../../src/cli/program.ts';
import { startedId } from '../support/background.ts';
import { createGraphqlClient } from '../support/graphql-client.ts';
import {
  MAIN,
  runInBash,
  type SampleGateway,
  sampleFolder,
  startSampleGateway,
} from '../support/readme-gateway.ts';
import { pageOf, samplesOf, tableOf } from '../support/readme-pages.ts';
import { testTerminal } from './support/test-terminal.ts';

const PAGE = 'docs/cli.md';
const commands = createProgram(testTerminal()).commands.filter((command) => command.name() !== 'help');
const sectionOf = (command: Command) =>
  pageOf(PAGE)
    .text.split(/^## /m)
    .find((section) => section.startsWith(`${command.name()}\n`)) ?? '';

describe('docs/cli.md', () => {
  it.each(commands.map((command) => ({ name: command.name(), command })))(
    'has a section on $name, with every option',
    ({ command }) => {
      const section = sectionOf(command);
      expect(section).not.toBe('');
      const options = [command, ...command.commands].flatMap((each) => each.options.map(({ long }) => long));
      for (const option of options) expect(section).toContain(`\`${option}`);
    },
  );

  it('lists every command at its top', () => {
    const [listed] = [pageOf(PAGE).text.split(/^## /m)[0] ?? ''].map((top) =>
      [...top.matchAll(/^\| \[`(\w+)`\]/gm)].map(([, name]) => name),
    );
    expect(new Set(listed)).toEqual(new Set(commands.map((command) => command.name())));
  });

  it('has every exit code, as the help has them', () => {
    const codes = tableOf(PAGE, 'Exit codes').map(([code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
    for (const code of codes) expect(exitCodes()).toContain(String(code));
  });
});

describe('every command', () => {
  it.each(commands.map((command) => ({ name: command.name(), command })))(
    'has examples in its help: $name',
    ({ command }) => {
      let help = '';
      command.configureOutput({
        writeOut: (text) => {
          help += text;
        },
      });
      command.outputHelp();
      expect(help).toContain('Examples:\n  $ ');
    },
  );
});

describe('the samples of docs/cli.md', () => {
  let gateway: SampleGateway;
  let id: string;
  beforeAll(async () => {
    gateway = await startSampleGateway(await sampleFolder());
    const key = (await readFile(join(gateway.folder, '.gesso', 'development-key'), 'utf8')).trim();
    id = await startedId(
      createGraphqlClient(() => gateway.url, key),
      { prompt: 'A boat' },
    );
    await mkdir(join(gateway.folder, 'bin'));
    await writeFile(
      join(gateway.folder, 'bin', 'gesso'),
      `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`,
    );
    await chmod(join(gateway.folder, 'bin', 'gesso'), 0o755);
  });
  afterAll(() => gateway.close());

  const lines = samplesOf('console', PAGE).flatMap(({ text }) =>
    text.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : [])),
  );
  const uuid = () => Buffer.from(id, 'base64').toString().split(':')[1] ?? '';
  const inFolder = (line: string) =>
    runInBash(
      `export PATH="$PWD/bin:$PATH" PORT=${gateway.port} GESSO_URL=${gateway.url}
      ${line.replace('01a20877-b7db-73d7-bc5e-fa9064d15716', uuid())}`,
      gateway.folder,
    );

  it.each(lines.filter((line) => !line.startsWith('gesso cancel')))('`%s` works', async (line) => {
    if (line.startsWith('gesso image')) {
      // The picture takes the sandbox a second.
      await expect
        .poll(() => inFolder(line).then(() => 'written', String), { timeout: 20_000 })
        .toBe('written');
    } else {
      await inFolder(line);
    }
  });

  it('say what then is there', async () => {
    const [first = ''] = lines;
    const shown = samplesOf('console', PAGE)[0]?.text.split('\n')[1];
    expect(first).toContain('gesso generate');
    expect(shown).toBe('✓ a-lighthouse-on-a-cliff-at-dawn-gouache.png');
    const written = await readFile(join(gateway.folder, shown?.slice(2) ?? ''));
    expect([written.readUInt32BE(16), written.readUInt32BE(20)]).toEqual([1536, 1024]);
  });
});

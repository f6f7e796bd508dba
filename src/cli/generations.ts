import { Command } from 'commander';
import { withExamples } from './help.ts';
import type { GenerationsOptions } from './lists/generations.ts';
import { withListOptions } from './lists/list-options.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso generations`: what was asked for, and what came of it. */
export function generationsCommand(terminal: Terminal): Command {
  const command = new Command('generations')
    .description('List generations, newest first; with scope generations:read, those of everyone.')
    .option('--status <statuses>', 'queued, running, succeeded, failed, canceled, unknown')
    .option('--provider <name>', 'made by this provider');
  withListOptions(command, terminal).action(async (options: GenerationsOptions) => {
    const { listGenerations } = await import('./lists/generations.ts');
    await listGenerations(options, terminal);
  });
  return withExamples(command, [
    ['gesso generations --since 2h --status failed,unknown', 'What went wrong in the last two hours.'],
    [
      `gesso generations --limit 1000 --json | jq -r 'select(.image) | .image.sha256'`,
      'NDJSON: one generation a line, with the ids of the API.',
    ],
  ]);
}

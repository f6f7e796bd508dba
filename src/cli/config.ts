import { Command } from 'commander';
import { withExamples } from './help.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso config`: what is set, and where each value comes from. */
export function configCommand(terminal: Terminal): Command {
  const command = new Command('config')
    .description('Print the effective settings, secrets masked, and where each comes from.')
    .option('--json', 'print one JSON document')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { printConfig } = await import('./config/print.ts');
      await printConfig(terminal, { json });
    });
  return withExamples(command, [
    ['gesso config', 'A table of every setting.'],
    [
      `gesso config --json | jq '.settings[] | select(.source == "environment")'`,
      'What the environment sets.',
    ],
  ]);
}

import { Command } from 'commander';
import { type ClientOptions, withClientOptions } from './client-settings.ts';
import { withExamples } from './help.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso doctor`: whether all that a gateway needs is there, without buying an image. */
export function doctorCommand(terminal: Terminal): Command {
  const command = withClientOptions(
    new Command('doctor').description('Look whether everything is there that a gateway needs; buys nothing.'),
  )
    .option('--json', 'print one JSON document')
    .action(async ({ json = false, ...options }: ClientOptions & { json?: boolean }) => {
      const { printExamination } = await import('./doctor/report.ts');
      await printExamination(terminal, { ...options, json });
    });
  return withExamples(command, [
    ['gesso doctor', 'With the settings that `gesso start` would have here. Exit code 1 where one is wrong.'],
    ['gesso doctor --url https://images.example.com', 'Also asks that gateway, with GESSO_API_KEY.'],
  ]);
}

import { Command } from 'commander';
import { type ClientOptions, withClientOptions } from './client-settings.ts';
import { withExamples } from './help.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso cancel`: stops a generation. */
export function cancelCommand(terminal: Terminal): Command {
  const command = withClientOptions(
    new Command('cancel')
      .description('Stop a generation that is queued or running.')
      .argument('<id>', 'of the generation, as gesso generations shows it'),
  )
    .option('--json', 'print one JSON document')
    .action(async (id: string, options: ClientOptions & { json?: boolean }) => {
      const { cancel } = await import('./images/cancel.ts');
      await cancel(id, options, terminal);
    });
  return withExamples(command, [
    ['gesso cancel 01934b2e-7d1c-7f2a-9c3d-2b1e5a7f8c90', 'Says whether it may be billed all the same.'],
  ]);
}

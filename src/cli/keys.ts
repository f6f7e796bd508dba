import { Command } from 'commander';
import { withExamples } from './help.ts';
import { wholeNumber } from './options.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso keys`: makes, lists and revokes API keys, beside a running gateway or without one. */
export function keysCommand(terminal: Terminal): Command {
  const keys = new Command('keys').description('Make, list and revoke API keys.');
  // The ledger is loaded when it is used: help needs none.
  const work = () => import('./keys/in-the-ledger.ts');
  keys
    .command('create')
    .description('Make a key; it is printed this once.')
    .argument('<client>', 'name of the application; made if there is none')
    .option('--scopes <scopes>', 'comma-separated', 'images:generate')
    .option('--images-per-day <number>', 'limit per UTC day', wholeNumber())
    .option('--json', 'print one JSON document')
    .action(async (client: string, options: { scopes: string; imagesPerDay?: number; json?: boolean }) =>
      (await work()).createKey(terminal, {
        client,
        scopes: options.scopes.split(',').map((scope) => scope.trim()),
        imagesPerDay: options.imagesPerDay,
        json: options.json ?? false,
      }),
    );
  keys
    .command('list')
    .description('List all keys, newest first.')
    .option('--json', 'print a JSON document per line')
    .action(async ({ json = false }: { json?: boolean }) => (await work()).listKeys(terminal, { json }));
  keys
    .command('revoke')
    .description('Stop a key at once, on every replica.')
    .argument('<key>', 'the 16 characters that `list` shows')
    .action(async (publicId: string) => (await work()).revokeKey(terminal, publicId));
  return withExamples(keys, [
    ['gesso keys create my-app', 'A key that may ask for images, and read its own.'],
    [
      'gesso keys create portal --scopes generations:read,audit:read',
      "Reads everyone's, and the audit trail.",
    ],
    ['gesso keys create trial --images-per-day 20', 'Twenty images in a UTC day, and no more.'],
    ['gesso keys revoke 0a1b2c3d4e5f6071', 'By the 16 characters that `gesso keys list` shows.'],
  ]);
}

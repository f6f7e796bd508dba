import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { GatewayError } from '../errors.ts';
import { keysCommand } from './keys.ts';
import { startCommand } from './start.ts';

// Beside both `src` and `dist`.
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** Runs the command line; returns the exit code: 0 done, 1 failed, 2 used wrongly. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = new Command('gesso')
    .description('One GraphQL API in front of image-generation providers.')
    .version(version)
    .addCommand(startCommand())
    .addCommand(keysCommand())
    .exitOverride()
    .showHelpAfterError();
  inheritSettings(program);
  try {
    await program.parseAsync([...argv]);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    console.error(explain(error));
    return 1;
  }
}

/** Commands that were made before they were added follow their parent too, however deep. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) inheritSettings(command.copyInheritedSettings(parent));
}

/**
 * A line for what was thrown on purpose, and for what the system or the database refused; anything else is a bug,
 * and its stack is the explanation.
 */
function explain(error: unknown): unknown {
  // Where a name has several addresses, each was tried, and failed alike.
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const explainsItself =
    cause instanceof GatewayError || (cause instanceof Error && ('syscall' in cause || 'severity' in cause));
  return explainsItself ? `gesso: ${cause.message}` : error;
}

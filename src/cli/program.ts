import { Command, CommanderError } from 'commander';
import { GatewayError } from '../errors.ts';
import { keysCommand } from './keys.ts';
import { startCommand } from './start.ts';

/** Runs the command line; returns the exit code: 0 done, 1 failed, 2 used wrongly. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = new Command('gesso')
    .description('One GraphQL API in front of image-generation providers.')
    .addCommand(startCommand())
    .addCommand(keysCommand())
    .exitOverride()
    .showHelpAfterError();
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  try {
    await program.parseAsync([...argv]);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // What was thrown on purpose explains itself; anything else is a bug, and its stack is the explanation.
    console.error(error instanceof GatewayError ? `gesso: ${error.message}` : error);
    return 1;
  }
}

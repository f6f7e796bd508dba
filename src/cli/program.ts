import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { auditCommand } from './audit.ts';
import { cancelCommand } from './cancel.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { EXIT } from './exit-codes.ts';
import { explain, sayFailure } from './explain.ts';
import { generateCommand } from './generate.ts';
import { generationsCommand } from './generations.ts';
import { exitCodes, heading } from './help.ts';
import { imageCommand } from './image.ts';
import { keysCommand } from './keys.ts';
import { sandboxCommand } from './sandbox.ts';
import { startCommand } from './start.ts';
import { hasColours } from './terminal/style.ts';
import { type Output, processTerminal, type Terminal } from './terminal/terminal.ts';

// Beside both `src` and `dist`.
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/**
 * Runs the command line; returns the exit code, see `exit-codes.ts`.
 * @param terminal what it reads, writes and knows. @default the process's own
 */
export async function run(
  argv: readonly string[],
  terminal: Terminal = processTerminal(argv),
): Promise<number> {
  endWithoutReader(terminal);
  try {
    await createProgram(terminal).parseAsync([...argv]);
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.misused;
    return explain(error, terminal.stderr);
  }
}

const HELP = ['help [command]', 'Show how a command is used.'] as const;

/** All commands. */
export function createProgram(terminal: Terminal): Command {
  const { stdout, stderr } = terminal;
  const program = new Command('gesso')
    .description('One GraphQL API in front of image-generation providers.')
    .version(version)
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text) => sayMisuse(stderr, text),
      getOutHelpWidth: () => stdout.columns ?? 80,
      getErrHelpWidth: () => stderr.columns ?? 80,
      getOutHasColors: () => hasColours(stdout),
      getErrHasColors: () => hasColours(stderr),
    })
    .configureHelp({ styleTitle: heading })
    .exitOverride()
    .commandsGroup('Serve:')
    .addCommand(startCommand(terminal))
    .addCommand(sandboxCommand(terminal))
    .commandsGroup('Use:')
    .addCommand(generateCommand(terminal))
    .addCommand(imageCommand(terminal))
    .addCommand(cancelCommand(terminal))
    .addCommand(generationsCommand(terminal))
    .addCommand(auditCommand(terminal))
    .commandsGroup('Operate:')
    .addCommand(keysCommand(terminal))
    .addCommand(configCommand(terminal))
    .addCommand(doctorCommand(terminal))
    .helpCommand(...HELP)
    .addHelpText('after', exitCodes());
  inheritSettings(program);
  return program;
}

/** What commander says of a command line, `error: unknown option '--x'` and perhaps a guess, in our voice. */
function sayMisuse(stderr: Output, text: string): void {
  const [problem = '', ...guesses] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n');
  const sentence = `${problem.slice(0, 1).toUpperCase()}${problem.slice(1)}`;
  const advice = [
    ...guesses.map((guess) => guess.replace(/^\(|\)$/g, '')),
    'Add --help to see how it is used.',
  ];
  sayFailure(stderr, /[.?!]$/.test(sentence) ? sentence : `${sentence}.`, advice.join(' '));
}

/** Commands that were made before they were added follow their parent too, however deep. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    inheritSettings(command.copyInheritedSettings(parent));
    // One of its own: the parent's stands in a group of the parent.
    if (command.commands.length > 0) command.helpCommand(...HELP);
  }
}

/** Whoever reads has seen enough, as `head` has after ten lines: that is no failure. A full disk is. */
function endWithoutReader({ stdout, stderr }: Terminal): void {
  if (stdout !== process.stdout) return;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : explain(error, stderr));
  });
}

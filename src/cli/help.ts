import { styleText } from 'node:util';
import type { Command } from 'commander';

/** A heading of a help. Commander takes the look away where there are no colours. */
export const heading = (text: string): string => styleText('bold', text, { validateStream: false });

/** Adds examples to the help of a command, each with what it does. */
export function withExamples(command: Command, examples: readonly [line: string, about: string][]): Command {
  const lines = examples.flatMap(([line, about]) => [`  $ ${line}`, `      ${about}`]);
  return command.addHelpText('after', `\n${heading('Examples:')}\n${lines.join('\n')}`);
}

/** For the help of a command: see `exit-codes.ts`. */
export const exitCodes = (): string => `
${heading('Exit codes:')}
  0    done
  1    failed
  2    used wrongly; nothing was asked for
  3    refused by the provider or its policy: the same again is refused again
  4    sent, and no answer came: the image may exist, and may be billed
  5    not now: the same command may succeed later
  130  interrupted by Ctrl-C, 143 by SIGTERM; what was asked for goes on`;

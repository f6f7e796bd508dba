import { inspect } from 'node:util';
import { GatewayError } from '../errors.ts';
import { CommandFailure, EXIT, type ExitCode } from './exit-codes.ts';
import { styleOf } from './terminal/style.ts';
import type { Output } from './terminal/terminal.ts';
import { oneLine, wrap } from './terminal/text.ts';

/**
 * A line for what was thrown on purpose, and for what the system or the database refused, and one with what to do
 * where that is known; anything else is a bug, and its stack is the explanation.
 *
 * @returns the code to end with.
 */
export function explain(error: unknown, stderr: Output): ExitCode {
  if (error instanceof CommandFailure) {
    if (error.happened !== undefined) sayFailure(stderr, error.happened, error.advice);
    return error.code;
  }
  // Where a name has several addresses, each was tried, and failed alike.
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const explainsItself =
    cause instanceof GatewayError || (cause instanceof Error && ('syscall' in cause || 'severity' in cause));
  if (explainsItself) sayFailure(stderr, cause.message, undefined);
  else stderr.write(`${inspect(error)}\n`);
  return EXIT.failed;
}

/** For what happened, and for what to do; a line each where it is no terminal. */
export function sayFailure(stderr: Output, happened: string, advice: string | undefined): void {
  const { red, dim } = styleOf(stderr);
  const room = stderr.isTTY === true ? Math.max(30, (stderr.columns ?? 80) - INDENT.length) : Infinity;
  const [first = '', ...others] = wrap(oneLine(happened), room);
  const lines = [
    `${red('gesso:')} ${first}`,
    ...others.map((line) => INDENT + line),
    ...(advice === undefined ? [] : wrap(oneLine(advice), room)).map((line) => INDENT + dim(line)),
  ];
  stderr.write(`${lines.join('\n')}\n`);
}

/** As wide as the name before a failure. */
const INDENT = '       ';

import { type Command, InvalidArgumentError } from 'commander';
import { type ClientOptions, withClientOptions } from '../client-settings.ts';
import { misuse } from '../exit-codes.ts';
import { wholeNumber } from '../options.ts';
import { moment } from '../terminal/quantities.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** What both lists take. */
export interface ListOptions extends ClientOptions {
  readonly limit: number;
  readonly client?: string;
  readonly since?: Date;
  readonly json?: boolean;
}

/** Adds them. */
export const withListOptions = (command: Command, { now }: Terminal): Command =>
  withClientOptions(
    command
      .option('-l, --limit <number>', 'the newest so many', wholeNumber(1), 20)
      .option('--since <time>', 'not older than 30m, 2h, 3d, 1w, or an ISO 8601 date', (text) => {
        const since = moment(text, now());
        if (since === undefined)
          throw new InvalidArgumentError('It takes 30m, 2h, 3d, 1w, or an ISO 8601 date.');
        return since;
      })
      .option('--client <client>', "one application's, by its name or id")
      .option('--json', 'print a JSON document per line'),
  );

/**
 * Words of an enum, with commas between, in either case, with hyphens or underscores.
 * @throws {CommandFailure} for a word that it doesn't have.
 */
export const wordsOf = <Word extends string>(known: readonly Word[], option: string, text: string): Word[] =>
  text.split(',').map((given) => {
    const word = given.trim().toUpperCase().replaceAll('-', '_');
    const found = known.find((each) => each === word);
    if (found !== undefined) return found;
    const words = known.map((each) => each.toLowerCase().replaceAll('_', '-'));
    throw misuse(`${option} knows no "${given.trim()}".`, `It takes ${words.join(', ')}.`);
  });

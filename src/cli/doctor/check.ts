import type { Config } from '../../config.ts';
import type { GessoConfig } from '../../plugin.ts';
import type { ClientSettings } from '../client-settings.ts';

/** What a check found: `good`, something to `look` at, or something `wrong` that will not work. */
export interface Finding {
  readonly state: 'good' | 'look' | 'wrong';
  /** Never holds a secret. */
  readonly found: string;
  /** What to do, where there is something. */
  readonly advice?: string | undefined;
}

/** What a check looks at. */
export interface Patient {
  readonly config: Config;
  readonly extensions: GessoConfig;
  /** The gateway that commands would talk to. */
  readonly client: ClientSettings;
  /** How this program is run, for commands in an advice. */
  readonly program: string;
}

/** Looks, changes nothing that it does not undo, and buys nothing. */
export interface Check {
  readonly name: string;
  readonly look: (patient: Patient) => Promise<Finding>;
}

export const good = (found: string): Finding => ({ state: 'good', found });
export const look = (found: string, advice?: string): Finding => ({ state: 'look', found, advice });
export const wrong = (found: string, advice?: string): Finding => ({ state: 'wrong', found, advice });

/** What an error says, or what failed below it. */
export function messageOf(error: unknown): string {
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(cause instanceof Error)) return String(cause);
  // `fetch failed` says nothing; its cause does.
  const isWrapper = cause.message === 'fetch failed' && cause.cause !== undefined;
  return isWrapper ? messageOf(cause.cause) : cause.message;
}

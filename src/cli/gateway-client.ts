import { createClient, type GessoClient } from '../client/index.ts';
import { type ClientOptions, clientSettings } from './client-settings.ts';
import { CommandFailure, EXIT } from './exit-codes.ts';
import type { FailureContext } from './gateway-failure.ts';
import type { Terminal } from './terminal/terminal.ts';

/** What a command needs to talk to a running gateway. */
export interface GatewayClient {
  readonly client: GessoClient;
  /** For what it may throw. */
  readonly context: FailureContext;
}

/** @throws {CommandFailure} where there is no key. */
export function gatewayClient(
  options: ClientOptions,
  terminal: Terminal,
  { retrySeconds }: { retrySeconds: number },
): GatewayClient {
  const { program } = terminal;
  const { url, apiKey, isDevelopmentKey } = clientSettings(options, terminal);
  if (apiKey === undefined) {
    throw new CommandFailure(EXIT.failed, {
      happened: `There is no API key for ${url}.`,
      advice: `Set GESSO_API_KEY or --api-key-file. One is made by: ${program} keys create <name>`,
    });
  }
  return { client: createClient({ url, apiKey, retrySeconds }), context: { url, program, isDevelopmentKey } };
}

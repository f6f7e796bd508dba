import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { misuse } from './exit-codes.ts';
import { knownAddress } from './known-address.ts';
import type { Terminal } from './terminal/terminal.ts';

/** Options of every command that talks to a running gateway. */
export interface ClientOptions {
  readonly url?: string;
  readonly apiKeyFile?: string;
}

/** Which gateway a command talks to, and with which key. */
export interface ClientSettings {
  /** Without a slash at its end. */
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Where the key comes from, for messages. */
  readonly keyFrom: string | undefined;
  /** Whether it is the one that the gateway of this folder made: another gateway does not know it. */
  readonly isDevelopmentKey: boolean;
}

const DEFAULT_URL = 'http://localhost:4000';

/** Adds the options. A key is none of them: the arguments of a process are seen by everyone on the machine. */
export const withClientOptions = (command: Command): Command =>
  command
    .option(
      '--url <url>',
      `the gateway (default: GESSO_URL, else the one of this folder, else ${DEFAULT_URL})`,
    )
    .option(
      '--api-key-file <path>',
      'file with the API key (default: GESSO_API_KEY, else the development key)',
    );

/**
 * Which gateway and which key are meant: options, over `GESSO_URL` and `GESSO_API_KEY`, over the gateway that was
 * started on the data folder and its development key, which goes to no other machine.
 *
 * @param home where a gateway of this configuration is reached, where that was read. @default as it left word itself
 * @throws {CommandFailure} for a URL that is none, and for a key file that can't be read.
 */
export function clientSettings(
  { url, apiKeyFile }: ClientOptions,
  { environment, folder }: Pick<Terminal, 'environment' | 'folder'>,
  home?: string,
): ClientSettings {
  const dataDir = resolve(folder, environment.GESSO_DATA_DIR || '.gesso');
  const gateway = urlOf(url ?? (environment.GESSO_URL || home || knownAddress(dataDir) || ''));
  const settings = (apiKey: string | undefined, keyFrom: string | undefined): ClientSettings => ({
    url: gateway.href.replace(/\/+$/, ''),
    apiKey,
    keyFrom,
    isDevelopmentKey: false,
  });
  if (apiKeyFile !== undefined) return settings(readKey(resolve(folder, apiKeyFile)), apiKeyFile);
  if (environment.GESSO_API_KEY) return settings(environment.GESSO_API_KEY, 'GESSO_API_KEY');
  const developmentKey = resolve(dataDir, 'development-key');
  if (isLocal(gateway) && existsSync(developmentKey)) {
    const from = relative(folder, developmentKey);
    return { ...settings(readKey(developmentKey), from), isDevelopmentKey: true };
  }
  return settings(undefined, undefined);
}

function urlOf(text: string): URL {
  const url = URL.parse(text === '' ? DEFAULT_URL : text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw misuse('The URL of the gateway must begin with http:// or https://.', 'See --url and GESSO_URL.');
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw misuse('The URL of the gateway is an origin, and perhaps a path: no user, no "?", no "#".');
  }
  // As it is copied from the first line of `gesso start`.
  url.pathname = url.pathname.replace(/\/graphql\/?$/, '');
  return url;
}

const isLocal = ({ hostname }: URL): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

function readKey(path: string): string {
  try {
    const key = readFileSync(path, 'utf8').trim();
    if (/^[\x21-\x7e]+$/.test(key)) return key;
  } catch (error) {
    throw misuse(`The API key can't be read: ${(error as Error).message}`, 'See --api-key-file.');
  }
  throw misuse(`There is no API key in ${path}.`, 'It must hold the key, and nothing else.');
}

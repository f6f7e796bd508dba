import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { type Config, readConfig } from '../../config.ts';
import { ConfigError } from '../../errors.ts';
import { checkPlugins } from '../../plugin.ts';
import { SETTINGS } from '../../settings.ts';
import { type ClientOptions, type ClientSettings, clientSettings } from '../client-settings.ts';
import { type ConfigFile, configOf, loadConfigFile } from '../config-file.ts';
import { CommandFailure } from '../exit-codes.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type Check, type Finding, good, messageOf, type Patient, wrong } from './check.ts';
import { dataFolder } from './data-folder.ts';
import { database } from './database.ts';
import { gateway, gatewayAlone } from './gateway.ts';
import { storage } from './storage.ts';
import { upstream } from './upstream.ts';
import { urlSecret } from './url-secret.ts';

/** In the order in which a start needs them. */
const CHECKS: readonly Check[] = [dataFolder, database, storage, urlSecret, upstream, gateway];

/** A finding, and of what. */
export interface Examined extends Finding {
  readonly name: string;
}

/**
 * Looks at one thing after the other.
 * @param onLook told of each before it is looked at.
 * @throws {CommandFailure} for options that can't be meant.
 */
export async function* examine(
  terminal: Terminal,
  options: ClientOptions,
  onLook: (name: string) => void,
): AsyncGenerator<Examined> {
  const { folder, program } = terminal;
  const environment = { ...terminal.environment };
  // Before anything is said.
  const byOptions = clientSettings(options, terminal);
  yield { name: 'Node.js', ...good(`${process.versions.node}, on ${availableParallelism()} cores`) };

  onLook('Configuration');
  let patient: Patient | undefined;
  let checks = CHECKS;
  try {
    const file = await loadConfigFile(folder);
    const { extensions } = file;
    checkPlugins(extensions.plugins ?? []);
    const config = configOf(file, environment);
    patient = { config, extensions, client: clientOf(options, terminal, config), program };
    yield { name: 'Configuration', ...good(describe(file, { environment, folder })) };
  } catch (error) {
    const config = error instanceof CommandFailure ? withoutFile(environment) : undefined;
    if (config !== undefined) {
      patient = { config, extensions: {}, client: clientOf(options, terminal, config), program };
      checks = CHECKS.filter((check) => check !== upstream);
    }
    const rest =
      config === undefined
        ? `See ${program} config. The rest was not looked at.`
        : 'It needs the environment of the gateway. The rest was looked at without this file.';
    yield { name: 'Configuration', ...wrong(messageOf(error), rest) };
  }
  if (patient === undefined) {
    yield { name: 'Gateway', ...(await gatewayAlone(byOptions, program)) };
    return;
  }
  for (const { name, look } of checks) {
    onLook(name);
    yield { name, ...(await look(patient)) };
  }
}

/** The gateway that a start with this configuration would be. */
function clientOf(options: ClientOptions, { environment, folder }: Terminal, config: Config): ClientSettings {
  const { port, publicUrl, dataDir } = config;
  const home = publicUrl ?? (port === 0 ? undefined : `http://localhost:${port}`);
  return clientSettings(options, { environment: { ...environment, GESSO_DATA_DIR: dataDir }, folder }, home);
}

/** Where the configuration file can't be loaded: what the environment says, if that will do. */
function withoutFile(environment: Terminal['environment']): Config | undefined {
  try {
    return readConfig(environment, { hasProviders: true });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function describe(
  { path }: ConfigFile,
  { environment, folder }: Pick<Terminal, 'environment' | 'folder'>,
): string {
  const count = Object.values(SETTINGS).filter(({ env }) => environment[env]).length;
  const file = path === undefined ? 'no gesso.config.ts' : relative(folder, path);
  return `${file}, and ${count === 1 ? 'one setting' : `${count || 'no'} settings`} of the environment`;
}

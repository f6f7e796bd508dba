import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { checkPlugins } from '../../plugin.ts';
import { SETTINGS } from '../../settings.ts';
import type { ClientSettings } from '../client-settings.ts';
import { type ConfigFile, configOf, loadConfigFile } from '../config-file.ts';
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
 */
export async function* examine(
  { environment, folder }: Terminal,
  client: ClientSettings,
  onLook: (name: string) => void,
): AsyncGenerator<Examined> {
  yield { name: 'Node.js', ...good(`${process.versions.node}, on ${availableParallelism()} cores`) };

  onLook('Configuration');
  let patient: Patient | undefined;
  try {
    const file = await loadConfigFile(folder);
    const { extensions } = file;
    checkPlugins(extensions.plugins ?? []);
    patient = { config: configOf(file, { ...environment }), extensions, client };
    yield { name: 'Configuration', ...good(describe(file, { environment, folder })) };
  } catch (error) {
    yield {
      name: 'Configuration',
      ...wrong(messageOf(error), 'See gesso config. The rest was not looked at.'),
    };
  }
  if (patient === undefined) {
    yield { name: 'Gateway', ...(await gatewayAlone(client)) };
    return;
  }
  for (const { name, look } of CHECKS) {
    onLook(name);
    yield { name, ...(await look(patient)) };
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

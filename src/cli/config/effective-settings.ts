import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { SETTINGS } from '../../settings.ts';
import { type ConfigFile, settingsOf } from '../config-file.ts';
import { MASK, maskSetting } from './mask.ts';

/** Where a value comes from; `file` is one that holds this value alone, such as a secret of the data folder. */
export type Source = 'environment' | 'config' | 'default' | 'file' | 'unset';

/** A setting as it is in force, and may be shown. */
export interface EffectiveSetting {
  readonly name: string;
  /** Its name in the environment. */
  readonly env: string;
  /** Masked; undefined where there is none. */
  readonly value: string | undefined;
  readonly source: Source;
  /** The file that it comes from, where it comes from one. */
  readonly path: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Every setting in the order of the README, whether or not the whole of them can be used. */
export function effectiveSettings(
  file: ConfigFile,
  { environment, folder }: { environment: Environment; folder: string },
): EffectiveSetting[] {
  const ofFile = settingsOf(file.extensions);
  const textOf = (env: string) => environment[env] || ofFile[env] || undefined;
  const dataDir = resolve(folder, textOf(SETTINGS.dataDir.env) ?? SETTINGS.dataDir.default);
  const kept = secretsInFiles(dataDir, { environment, ofFile });

  return Object.entries(SETTINGS).map(([name, { env, default: byDefault }]) => {
    const setting = (source: Source, text: string | undefined, path?: string): EffectiveSetting => ({
      name,
      env,
      value: text === undefined ? undefined : maskSetting(name, text),
      source,
      path: path === undefined ? undefined : relative(folder, path) || path,
    });
    const inEnvironment = environment[env];
    if (inEnvironment) return setting('environment', inEnvironment);
    const keptIn = kept[name];
    if (keptIn !== undefined) return setting('file', MASK, keptIn);
    if (ofFile[env]) return setting('config', ofFile[env], file.path);
    return byDefault === undefined ? setting('unset', undefined) : setting('default', byDefault);
  });
}

/** Settings that neither the environment nor the configuration file says, but a file of their own, by its path. */
function secretsInFiles(
  dataDir: string,
  { environment, ofFile }: { environment: Environment; ofFile: Environment },
): Readonly<Record<string, string | undefined>> {
  const kept = join(dataDir, 'url-secret');
  const textOf = (env: string) => environment[env] || ofFile[env];
  return {
    // One that the environment names goes before a key of the configuration file, as in `readConfig`.
    betterTokenApiKey:
      environment.BETTERTOKEN_API_KEY_FILE ||
      (ofFile.BETTERTOKEN_API_KEY ? undefined : ofFile.BETTERTOKEN_API_KEY_FILE),
    urlSecret: textOf('GESSO_URL_SECRET') || textOf('DATABASE_URL') || !existsSync(kept) ? undefined : kept,
  };
}

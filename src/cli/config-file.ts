import { existsSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { extname, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Config, readConfig, SETTINGS } from '../config.ts';
import { ConfigError, GatewayError } from '../errors.ts';
import type { GessoConfig } from '../plugin.ts';
import { CommandFailure, EXIT } from './exit-codes.ts';

const NAMES = ['gesso.config.ts', 'gesso.config.mts', 'gesso.config.js', 'gesso.config.mjs'];

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

/**
 * The files that the names of the package stand for: what is exported is built into `dist`, and lies at the same
 * place beside this file's folder, in `src` as TypeScript.
 */
function ownFiles(): ReadonlyMap<string, string> {
  const { exports } = createRequire(import.meta.url)('../../package.json') as Manifest;
  return new Map(
    Object.entries(exports).flatMap(([name, target]) => {
      const built = typeof target === 'string' ? target : target.default;
      const path = /^\.\/dist\/(.+)\.js$/.exec(built)?.[1];
      if (path === undefined) return [];
      const file = new URL(`../${path}${extname(import.meta.url)}`, import.meta.url);
      return [[name.replace('.', 'gesso'), file.href]];
    }),
  );
}

/**
 * Lets `gesso` be this very program wherever it was started from, a clone included: plug-ins then throw the same
 * error classes that retry and the endings ask for, and not a second copy's.
 */
function shareOwnPackage(): void {
  const files = ownFiles();
  registerHooks({
    resolve(specifier, context, next) {
      const url = files.get(specifier);
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
}

/** The configuration file of a folder. */
export interface ConfigFile {
  /** Undefined where there is none. */
  readonly path: string | undefined;
  readonly extensions: GessoConfig;
}

/**
 * Reads the configuration file of the folder, if there is one; TypeScript runs as it is.
 * @throws {CommandFailure} that names the file, where it throws; {ConfigError} where it exports nothing.
 */
export async function loadConfigFile(folder: string): Promise<ConfigFile> {
  const path = NAMES.map((name) => resolve(folder, name)).find(existsSync);
  if (path === undefined) return { path, extensions: {} };
  shareOwnPackage();
  const { default: extensions } = await importFile(path, relative(folder, path));
  if (typeof extensions !== 'object' || extensions === null) {
    throw new ConfigError(`${path} has no default export: write \`export default defineConfig({ … })\`.`);
  }
  return { path, extensions };
}

async function importFile(path: string, name: string): Promise<{ default?: unknown }> {
  const { href } = pathToFileURL(path);
  try {
    return await import(href);
  } catch (error) {
    // What is thrown on purpose says enough; where a mistake is, only its stack tells.
    const stack = error instanceof Error && !(error instanceof GatewayError) ? (error.stack ?? '') : '';
    const line = [href, path].flatMap((each) => {
      const [, place] = stack.split(each);
      return /^:\d+/.exec(place ?? '') ?? [];
    })[0];
    throw new CommandFailure(EXIT.failed, {
      happened: `${name}${line ?? ''} can't be loaded: ${error instanceof Error ? error.message : String(error)}`,
      advice: 'It is loaded by start, keys, config and doctor: each needs the environment of the gateway.',
    });
  }
}

/** Settings of the file by the names that they have in the environment. */
export function settingsOf({ settings = {} }: GessoConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => {
      if (!(name in SETTINGS)) throw new ConfigError(`gesso.config sets "${name}", which is no setting.`);
      // An environment variable that is not set, handed on: left out, and not the word "undefined".
      if (value === undefined || value === null) return [];
      return [[SETTINGS[name as keyof typeof SETTINGS].env, String(value)]];
    }),
  );
}

/** The effective settings of what a configuration file says: defaults, under the file, under the environment. */
export function configOf({ extensions }: ConfigFile, environment = process.env): Config {
  const hasProviders = (extensions.plugins ?? []).some(({ providers = [] }) => providers.length > 0);
  return readConfig(environment, { file: settingsOf(extensions), hasProviders });
}

/** The effective settings: defaults, under the file of the working folder, under the environment. */
export async function loadConfig(): Promise<{
  config: Config;
  extensions: GessoConfig;
  path: string | undefined;
}> {
  const file = await loadConfigFile(process.cwd());
  return { config: configOf(file), extensions: file.extensions, path: file.path };
}

import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Config, readConfig, SETTINGS } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { GessoConfig } from '../plugin.ts';

const NAMES = ['gesso.config.ts', 'gesso.config.mts', 'gesso.config.js', 'gesso.config.mjs'];

/** What the file and its plug-ins import as `gesso`: in `src` a TypeScript file, in `dist` a JavaScript one. */
const OWN_PACKAGE = new URL(`../index${extname(import.meta.url)}`, import.meta.url).href;

/**
 * Lets `gesso` be this very program wherever it was started from, a clone included: plug-ins then throw the same
 * error classes that retry and the endings ask for, and not a second copy's.
 */
function shareOwnPackage(): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'gesso' ? { url: OWN_PACKAGE, shortCircuit: true } : next(specifier, context),
  });
}

/** The configuration file of this folder, if there is one; TypeScript runs as it is. */
async function loadFile(folder: string): Promise<GessoConfig> {
  const path = NAMES.map((name) => resolve(folder, name)).find(existsSync);
  if (path === undefined) return {};
  shareOwnPackage();
  const { default: extensions } = (await import(pathToFileURL(path).href)) as { default?: unknown };
  if (typeof extensions !== 'object' || extensions === null) {
    throw new ConfigError(`${path} has no default export: write \`export default defineConfig({ … })\`.`);
  }
  return extensions;
}

/** Settings of the file by the names that they have in the environment. */
function settingsOf({ settings = {} }: GessoConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => {
      if (!(name in SETTINGS)) throw new ConfigError(`gesso.config sets "${name}", which is no setting.`);
      // An environment variable that is not set, handed on: left out, and not the word "undefined".
      if (value === undefined || value === null) return [];
      return [[SETTINGS[name as keyof typeof SETTINGS].env, String(value)]];
    }),
  );
}

/** The effective settings: defaults, under the file of the working folder, under the environment. */
export async function loadConfig(): Promise<{ config: Config; extensions: GessoConfig }> {
  const extensions = await loadFile(process.cwd());
  const hasProviders = (extensions.plugins ?? []).some(({ providers = [] }) => providers.length > 0);
  const config = readConfig(process.env, { file: settingsOf(extensions), hasProviders });
  return { config, extensions };
}

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigError } from './errors.ts';
import { SETTINGS } from './settings.ts';

export { SETTINGS };

/** Of a secret, in characters; outside production a short one that is easy to type will do. */
const SECRET_LENGTH = { production: 16, otherwise: 8 };

type Settings = typeof SETTINGS;
type Values = {
  readonly [Name in keyof Settings]: Settings[Name]['default'] extends string
    ? z.output<Settings[Name]['type']>
    : z.output<Settings[Name]['type']> | undefined;
};

/** The effective settings. Numbers carry their unit in their name. */
export interface Config extends Omit<Values, 'betterTokenApiKeyFile' | 'waitMs' | 'storageUrl'> {
  readonly waitMs: number;
  readonly storageUrl: string;
  /** True when neither a key nor a base URL for BetterToken is set. */
  readonly sandbox: boolean;
  readonly production: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings, once: the environment, over a file's settings under the same names, over the defaults. An
 * empty variable counts as left out. With providers of plug-ins, no sandbox is needed.
 * @throws {ConfigError} that names every setting that is wrong, and no secret.
 */
export function readConfig(
  environment: Environment,
  { file = {}, hasProviders = false }: { file?: Environment; hasProviders?: boolean } = {},
): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { env, type, default: defaultText }] of Object.entries(SETTINGS)) {
    const text = environment[env] || file[env] || defaultText;
    if (text === undefined) continue;
    const parsed = type.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${env} ${parsed.error.issues.map((issue) => issue.message).join(', ')}`);
  }
  const read = values as Values;
  const { BETTERTOKEN_API_KEY: keyGiven, BETTERTOKEN_API_KEY_FILE: keyFileGiven } = environment;
  if (keyGiven && keyFileGiven) {
    problems.push('BETTERTOKEN_API_KEY and BETTERTOKEN_API_KEY_FILE are both set: which one is meant?');
  }
  // The environment wins over the configuration file, whichever of the two names either uses.
  const fileNamed = keyFileGiven !== undefined && keyFileGiven !== '' && !keyGiven;
  const betterTokenApiKey =
    (fileNamed ? undefined : read.betterTokenApiKey) ?? readKeyFile(read.betterTokenApiKeyFile, problems);
  const production = read.environment === 'production';
  const unconfigured = betterTokenApiKey === undefined && read.betterTokenBaseUrl === undefined;
  const sandbox = unconfigured && !hasProviders;
  if (betterTokenApiKey !== undefined && !/^[\x21-\x7e]+$/.test(betterTokenApiKey)) {
    problems.push('BETTERTOKEN_API_KEY must be printable ASCII without spaces');
  }
  if (betterTokenApiKey === undefined && !unconfigured) {
    problems.push(
      'BETTERTOKEN_BASE_URL is set, but neither BETTERTOKEN_API_KEY nor BETTERTOKEN_API_KEY_FILE is',
    );
  }
  if (production && sandbox) {
    problems.push(
      'BETTERTOKEN_API_KEY or BETTERTOKEN_API_KEY_FILE must be set in production: the sandbox draws pretend pictures',
    );
  }
  for (const name of ['adminKey', 'urlSecret', 'webhookSecret'] as const) {
    const value = read[name];
    const least = production ? SECRET_LENGTH.production : SECRET_LENGTH.otherwise;
    if (value !== undefined && value.length < least) {
      problems.push(`${SETTINGS[name].env} must have at least ${least} characters`);
    }
  }
  if (read.databaseUrl !== undefined && read.urlSecret === undefined) {
    problems.push('GESSO_URL_SECRET must be set with DATABASE_URL, the same on every replica');
  }
  if (read.webhookHosts !== undefined && read.webhookSecret === undefined) {
    problems.push('GESSO_WEBHOOK_SECRET must be set with GESSO_WEBHOOK_HOSTS, the same on every replica');
  }
  if (read.documentsOnly && read.documents === undefined) {
    problems.push('GESSO_DOCUMENTS_ONLY is set, but GESSO_DOCUMENTS is not: every document would be refused');
  }
  if (read.documentsOnly && read.federation !== 'off') {
    problems.push(
      'GESSO_DOCUMENTS_ONLY and GESSO_FEDERATION are both set: it would refuse what a router sends, which makes its own documents',
    );
  }
  const { keepImagesDays, keepRecordsDays } = read;
  if (keepImagesDays !== undefined && keepRecordsDays !== undefined && keepImagesDays > keepRecordsDays) {
    problems.push('GESSO_KEEP_IMAGES_DAYS is above GESSO_KEEP_RECORDS_DAYS: an image goes with its record');
  }
  if (problems.length > 0) throw new ConfigError(`The configuration is not usable: ${problems.join('; ')}.`);
  const dataDir = resolve(read.dataDir);
  return {
    ...read,
    dataDir,
    betterTokenApiKey,
    waitMs: read.waitMs ?? read.deadlineMs + 15_000,
    storageUrl: read.storageUrl ?? join(dataDir, 'images'),
    production,
    sandbox,
  };
}

function readKeyFile(path: string | undefined, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    const key = readFileSync(path, 'utf8').trim();
    if (key !== '') return key;
    problems.push(`BETTERTOKEN_API_KEY_FILE names an empty file: ${path}`);
    return undefined;
  } catch (error) {
    problems.push(`BETTERTOKEN_API_KEY_FILE can't be read: ${(error as Error).message}`);
    return undefined;
  }
}

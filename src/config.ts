import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './errors.ts';

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));

const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'must be an http or https URL',
  )
  .transform((text) => text.replace(/\/+$/, ''));

const delays = z
  .string()
  .regex(/^(none|\d+(\s*,\s*\d+)*)$/, 'must be whole numbers with commas between, or "none"')
  .transform((text) => (text === 'none' ? [] : text.split(',').map(Number)));

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Of a secret, in characters; outside production a short one that is easy to type will do. */
const SECRET_LENGTH = { production: 16, otherwise: 8 };
const secret = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

/** One setting, said once: its name in the environment, its type, its default, and what it is for. */
interface Setting<Type extends z.ZodType, Default extends string | undefined> {
  readonly env: string;
  readonly type: Type;
  /** As it would be written in the environment; undefined where there is none. */
  readonly default: Default;
  readonly about: string;
}
const setting = <Type extends z.ZodType, Default extends string | undefined>(
  env: string,
  type: Type,
  defaultText: Default,
  about: string,
): Setting<Type, Default> => ({ env, type, default: defaultText, about });

/** Every setting, in the order of the README's reference, which a test holds against this. */
export const SETTINGS = {
  port: setting('PORT', integer(0, 65_535), '4000', 'Port to listen on; 0 takes a free one.'),
  host: setting('HOST', z.string(), '127.0.0.1', 'Address to listen on; `0.0.0.0` serves other machines.'),
  dataDir: setting(
    'GESSO_DATA_DIR',
    z.string(),
    '.gesso',
    'Folder for the embedded PostgreSQL, images, caches and secrets.',
  ),
  databaseUrl: setting(
    'DATABASE_URL',
    z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL'),
    undefined,
    'PostgreSQL 15 or later to use instead of the embedded one.',
  ),
  databasePoolSize: setting(
    'GESSO_DATABASE_POOL_SIZE',
    integer(2, 200),
    '10',
    'Connections to PostgreSQL at most, per replica.',
  ),
  adminKey: setting(
    'GESSO_ADMIN_KEY',
    secret,
    undefined,
    'A key with scope `admin` that needs no row in the database; to make the others with.',
  ),
  publicUrl: setting(
    'GESSO_PUBLIC_URL',
    httpUrl,
    undefined,
    'Where clients reach the gateway; image URLs begin with it. Left out: `http://localhost:<port>`.',
  ),
  betterTokenApiKey: setting(
    'BETTERTOKEN_API_KEY',
    z.string(),
    undefined,
    'Key for BetterToken. Without it, and outside production, a sandbox draws the pictures.',
  ),
  betterTokenApiKeyFile: setting(
    'BETTERTOKEN_API_KEY_FILE',
    z.string(),
    undefined,
    'File that holds the key, for secret managers that mount files.',
  ),
  betterTokenBaseUrl: setting(
    'BETTERTOKEN_BASE_URL',
    httpUrl,
    undefined,
    'Base URL of BetterToken. Left out: `https://www.bettertoken.ai/v1`.',
  ),
  retryDelaysMs: setting(
    'GESSO_RETRY_DELAYS_MS',
    delays,
    '3000,8000,15000',
    'Waits before the second, third, … call upstream, in milliseconds; `none` never retries.',
  ),
  deadlineMs: setting(
    'GESSO_DEADLINE_MS',
    integer(100, 86_400_000),
    '600000',
    'Time for one generation from its first run, attempts and waits included, in milliseconds.',
  ),
  waitMs: setting(
    'GESSO_WAIT_MS',
    integer(0, 86_400_000),
    undefined,
    'How long a mutation waits at most, in milliseconds. Left out: the deadline and 15 seconds.',
  ),
  heartbeatSeconds: setting(
    'GESSO_HEARTBEAT_SECONDS',
    integer(10, 3_600),
    '10',
    'After this silence of a replica another one takes its generations, in seconds.',
  ),
  storageUrl: setting(
    'GESSO_STORAGE_URL',
    z.string(),
    undefined,
    'Where images are kept: a folder. Left out: `images` in the data folder.',
  ),
  urlSecret: setting(
    'GESSO_URL_SECRET',
    secret,
    undefined,
    'Signs image URLs; the same on every replica. Left out: made in the data folder, but required with `DATABASE_URL`.',
  ),
  urlLifetimeSeconds: setting(
    'GESSO_URL_LIFETIME_SECONDS',
    integer(1, 604_800),
    '86400',
    'How long an image URL is good for at least, in seconds.',
  ),
  concurrency: setting('GESSO_CONCURRENCY', integer(1, 100_000), '256', 'Generations at once, per replica.'),
  drainMs: setting(
    'GESSO_DRAIN_MS',
    integer(0, 86_400_000),
    '30000',
    'On SIGTERM: how long calls that were sent may go on, in milliseconds.',
  ),
  imagesPerOperation: setting(
    'GESSO_IMAGES_PER_OPERATION',
    integer(1, 1_000),
    '10',
    'Images that one GraphQL operation may ask for at most.',
  ),
  bodiesAtOnce: setting(
    'GESSO_BODIES_AT_ONCE',
    integer(1, 1_000),
    '16',
    'Answers from upstream that are read at the same time, per replica; it bounds memory.',
  ),
  renditionCacheBytes: setting(
    'GESSO_RENDITION_CACHE_BYTES',
    integer(0, Number.MAX_SAFE_INTEGER),
    '536870912',
    'Disk for resized and converted images, in bytes.',
  ),
  logLevel: setting(
    'LOG_LEVEL',
    z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
    'info',
    'Least level that is logged.',
  ),
  environment: setting(
    'NODE_ENV',
    // A misspelt `production` would serve pretend pictures.
    z.string().regex(/^(production$|(?![Pp][Rr][Oo][Dd]))/, 'must be "production", or not begin like it'),
    'development',
    '`production` refuses to start without a key for a provider, and hides GraphiQL, suggestions and, from strangers, introspection.',
  ),
} as const;

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
  for (const name of ['adminKey', 'urlSecret'] as const) {
    const value = read[name];
    const least = production ? SECRET_LENGTH.production : SECRET_LENGTH.otherwise;
    if (value !== undefined && value.length < least) {
      problems.push(`${SETTINGS[name].env} must have at least ${least} characters`);
    }
  }
  if (read.databaseUrl !== undefined && read.urlSecret === undefined) {
    problems.push('GESSO_URL_SECRET must be set with DATABASE_URL, the same on every replica');
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

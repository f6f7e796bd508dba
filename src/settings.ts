import { z } from 'zod';
import {
  delays,
  flag,
  hosts,
  httpUrl,
  integer,
  LOG_LEVELS,
  limits,
  origins,
  route,
  secret,
} from './setting-types.ts';

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
  corsOrigins: setting(
    'GESSO_CORS_ORIGINS',
    origins,
    undefined,
    'Origins whose web pages may call the gateway, with commas between, or `*`. Left out: its own alone.',
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
    'Where images are kept: a folder, or `s3://bucket/prefix?endpoint=…&region=…`. Left out: `images` in the data folder.',
  ),
  imageDelivery: setting(
    'GESSO_IMAGE_DELIVERY',
    z.enum(['gateway', 'redirect'], 'must be "gateway" or "redirect"'),
    'gateway',
    'Who sends the bytes of originals that lie in an object store: the gateway, or the store itself, by a redirect.',
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
  callsAtOnce: setting(
    'GESSO_CALLS_AT_ONCE',
    integer(1, 1_000_000),
    undefined,
    'Calls to all providers at once, over all replicas. Left out: no limit but that of each replica.',
  ),
  providerCallsAtOnce: setting(
    'GESSO_PROVIDER_CALLS_AT_ONCE',
    limits,
    undefined,
    'Calls to one provider at once, over all replicas: `bettertoken=50,other=20`. Left out: no limit of its own.',
  ),
  route: setting(
    'GESSO_ROUTE',
    route,
    undefined,
    'The providers for requests that name none: `bettertoken,other` asks them in this order, `bettertoken=3,other=1` draws by weight. Left out: the first provider alone.',
  ),
  breakerFailures: setting(
    'GESSO_BREAKER_FAILURES',
    integer(0, 1_000_000),
    undefined,
    'Generations in a row that fail at a provider before it is not asked for a while; 0 always asks. Left out: 5 with a route between several, else 0.',
  ),
  breakerOpenMs: setting(
    'GESSO_BREAKER_OPEN_MS',
    integer(1, 86_400_000),
    '30000',
    'How long such a provider is not asked before one generation tries it, in milliseconds.',
  ),
  drainMs: setting(
    'GESSO_DRAIN_MS',
    integer(0, 86_400_000),
    '30000',
    'On SIGTERM: how long calls that were sent may go on, in milliseconds.',
  ),
  webhookHosts: setting(
    'GESSO_WEBHOOK_HOSTS',
    hosts,
    undefined,
    'Hosts that `webhookUrl` may name, with commas between: `hooks.example.com,*.example.org`. Left out: none.',
  ),
  webhookSecret: setting(
    'GESSO_WEBHOOK_SECRET',
    secret,
    undefined,
    "The signing secret of each client's webhooks is made of it; the same on every replica. Required with `GESSO_WEBHOOK_HOSTS`.",
  ),
  keepImagesDays: setting(
    'GESSO_KEEP_IMAGES_DAYS',
    integer(1, 36_500),
    undefined,
    'Days after which the bytes of an image are removed. Left out: kept as long as its record.',
  ),
  keepRecordsDays: setting(
    'GESSO_KEEP_RECORDS_DAYS',
    integer(1, 36_500),
    undefined,
    'Days after its end when a generation is removed, with its image, attempts and idempotency key; its audit lines stay. Left out: kept for ever.',
  ),
  imagesPerOperation: setting(
    'GESSO_IMAGES_PER_OPERATION',
    integer(1, 1_000),
    '10',
    'Images that one GraphQL operation may ask for at most.',
  ),
  documents: setting(
    'GESSO_DOCUMENTS',
    z.string(),
    undefined,
    'JSON file of persisted documents, as Apollo, Relay or GraphQL Code Generator write it. Left out: none.',
  ),
  documentsOnly: setting(
    'GESSO_DOCUMENTS_ONLY',
    flag,
    'false',
    '`true` refuses every document that is not in the file of `GESSO_DOCUMENTS`.',
  ),
  federation: setting(
    'GESSO_FEDERATION',
    z.enum(['off', 'on', 'without-node'], 'must be "off", "on" or "without-node"'),
    'off',
    '`on` serves the schema as a subgraph of Apollo Federation 2; `without-node` leaves `Query.node` to another subgraph.',
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

import { mkdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Keyv } from 'keyv';
import { sql } from 'kysely';
import { type Logger, pino } from 'pino';
import QuickLRU from 'quick-lru';
import { startAuditSinks } from './audit-sinks/start.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { createDispatcher } from './dispatcher.ts';
import { GatewayUnavailableError } from './errors.ts';
import { createEdge } from './gateway/edge.ts';
import { openPictures } from './gateway/pictures.ts';
import { createPort } from './gateway/port.ts';
import { gatherProviders } from './gateway/providers.ts';
import { openRecords } from './gateway/records.ts';
import { reportedDrain } from './gateway/reported-drain.ts';
import { type DevelopmentKey, developmentKey } from './gateway/secrets.ts';
import { createWebhookCourier, type WebhookTestOptions } from './gateway/webhooks.ts';
import { createMeasure } from './images/measure.ts';
import { openElsewhere } from './ledger/generations.ts';
import { refuseUnknownProviders } from './ledger/limits.ts';
import { audit } from './middleware/audit.ts';
import { authorize } from './middleware/authorize.ts';
import { breaker } from './middleware/breaker.ts';
import { deadline } from './middleware/deadline.ts';
import { idempotency } from './middleware/idempotency.ts';
import type { AttemptMiddleware, RequestMiddleware } from './middleware/middleware.ts';
import { quota } from './middleware/quota.ts';
import { record } from './middleware/record.ts';
import { retry } from './middleware/retry.ts';
import { arrange, compose } from './pipeline.ts';
import { checkPlugins, type GessoConfig, type GessoPlugin } from './plugin.ts';
import { createBetterToken } from './providers/bettertoken.ts';
import { keepMsOf } from './retention/removal.ts';
import { startRetention } from './retention/retention.ts';
import { createRouter, isBetweenSeveral } from './routing.ts';

export interface GatewayOptions {
  readonly config: Config;
  /** What `gesso.config.ts` adds. */
  readonly extensions?: GessoConfig;
  /** Where clients reach it; may be known only once the listener has its port. */
  readonly publicUrl: () => string;
  readonly log?: Logger;
  readonly clock?: Clock;
  /** For tests alone. */
  readonly webhooks?: WebhookTestOptions;
}

export interface Gateway {
  /** Answers one HTTP request. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Takes over a connection that asks to be a WebSocket, for subscriptions. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** The key for the first steps, as long as it works; its secret only when it was made just now. */
  readonly developmentKey: DevelopmentKey | undefined;
  /**
   * Takes no more work, and lets what was sent upstream finish within `drainMs`. What is then unfinished goes on
   * with the next start, or on another replica.
   */
  readonly drain: () => Promise<void>;
  /** Frees what `drain` leaves open; to be called when the last answer is out. */
  readonly close: () => Promise<void>;
}

/** How many answers the idempotency cache remembers; losing one costs a query. */
const CACHE_ENTRIES = 10_000;
const CACHE_TTL_MS = 24 * 3600 * 1000;
/** Staged files that nobody came back for in this time are removed, in milliseconds. */
const STAGED_KEEP_MS = 7 * 24 * 3600 * 1000;

/** The composition root: configuration in, a gateway out. The only file that imports concrete plug-ins. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, extensions = {}, publicUrl, log = pino({ enabled: false }), clock = systemClock } = options;
  const { now } = clock;
  const added = checkPlugins(extensions.plugins ?? []);
  const keepMs = keepMsOf(config);
  const cutting = new AbortController();
  let draining = false;

  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  // What is open already is closed again when a later step refuses, or the process could not end.
  await using opened = new AsyncDisposableStack();
  const pictures = await openPictures({ config, publicUrl, now, log });
  opened.defer(pictures.close);
  const { store, staging, renditions } = pictures;
  const records = await openRecords({ config, log, clock, signal: cutting.signal });
  opened.defer(records.close);
  const { db, queue, runs, limits, notifications, webhooks, attemptLog, auditTrail } = records;

  const builtIn = core();
  const routing = config.route ?? extensions.routing;
  const providers = gatherProviders({
    // Whoever adds a provider of their own means it; the built-in one is the default where nobody does.
    plugins: [...added, builtIn],
    drain: reportedDrain(staging.drain, log),
    breakerFailures: config.breakerFailures,
    isRouted: isBetweenSeveral(routing),
    breakerOpenMs: config.breakerOpenMs,
    now,
  });
  const router = createRouter({
    providers: providers.byName,
    routing,
    howToHave: { bettertoken: 'bettertoken needs BETTERTOKEN_API_KEY' },
    isAdmitting: (name) => providers.circuitOf(name)?.isAdmitting !== false,
  });
  refuseUnknownProviders(limits, providers.names);
  await queue.serve(providers.names);
  for (const { provider, count } of await openElsewhere(db, providers.names)) {
    log.warn({ provider, count }, 'generations wait for a provider that is not configured here');
  }

  function core(): GessoPlugin {
    const cache =
      extensions.cache ?? new Keyv({ store: new QuickLRU({ maxSize: CACHE_ENTRIES }), namespace: 'gesso' });
    cache.on('error', (error: unknown) => log.warn({ err: error }, 'the idempotency cache met an error'));
    const onError = (error: unknown) => log.error({ err: error }, 'the line of a replay was lost');
    const { betterTokenApiKey: apiKey, betterTokenBaseUrl: baseUrl } = config;
    return {
      name: 'core',
      providers:
        apiKey === undefined
          ? []
          : [
              createBetterToken({
                apiKey,
                ...(baseUrl === undefined ? {} : { baseUrl }),
                connections: config.concurrency,
                deadlineMs: config.deadlineMs,
              }),
            ],
      requestMiddleware: [
        audit({ append: auditTrail.append, onError }),
        authorize(),
        idempotency({ cache, ttlMs: CACHE_TTL_MS, keepMs, now }),
        quota(),
      ].map((middleware) => ({ middleware })),
      attemptMiddleware: [
        breaker({ circuitOf: (name) => providers.circuitOf(name), now }),
        deadline({ now }),
        retry({
          delaysMs: config.retryDelaysMs,
          goesOn: (generation) => router.goesOnNow(generation),
          now,
          sleep: clock.sleep,
        }),
        record({ log: attemptLog, now }),
      ].map((middleware) => ({ middleware })),
    };
  }

  const attemptRing = compose(arrange<AttemptMiddleware>([], placesOf('attemptMiddleware')), providers.call);
  const dispatcher = createDispatcher({
    db,
    queue,
    runs,
    limits,
    notifications,
    webhooks,
    providers: providers.names,
    router,
    attemptRing,
    staging,
    keeping: {
      measure: createMeasure(),
      keepAside: staging.keepAside,
      store,
      clock,
      onRetry: (error) => log.warn({ err: error }, 'storing an image failed; trying again'),
    },
    log: attemptLog,
    clock,
    cutting,
    replicaId: records.replicaId,
    concurrency: config.concurrency,
    heartbeatSeconds: config.heartbeatSeconds,
    onError: (error, { message, generationId }) => log.warn({ err: error, generationId }, message),
  });
  opened.defer(() => dispatcher.drain(0));
  const requestRing = compose(
    arrange<RequestMiddleware>([], placesOf('requestMiddleware')),
    dispatcher.dispatch,
  );

  /** The built-in ring first, so that plug-ins can name their neighbours in it. */
  function placesOf<Ring extends 'requestMiddleware' | 'attemptMiddleware'>(ring: Ring) {
    type Places = NonNullable<GessoPlugin[Ring]>;
    return [builtIn, ...added].flatMap((plugin) => [...(plugin[ring] ?? [])]) as unknown as Places;
  }

  const port = createPort({
    config,
    db,
    auditTrail,
    generate: requestRing,
    cancel: dispatcher.cancel,
    watch: dispatcher.watch,
    providers: providers.facts(),
    images: pictures.port,
    now,
    log,
  });
  const courier = createWebhookCourier({
    config,
    jobs: records.webhookJobs,
    notifications,
    imageUrl: (image) => pictures.port.url(image, undefined),
    clock,
    log,
    testing: options.webhooks ?? {},
  });
  const edge = await createEdge({
    config,
    db,
    notifications,
    port,
    plugins: added,
    images: pictures.routes,
    async ready() {
      if (draining) throw new GatewayUnavailableError('The gateway is shutting down.');
      await Promise.all([sql`select 1`.execute(db), store.check()]);
    },
    clock,
    log,
  });
  const firstKey = await developmentKey(config, db, clock);
  await staging.sweep({ olderThanMs: STAGED_KEEP_MS });
  const auditSinks = await startAuditSinks({ db, notifications, plugins: added, log, clock });
  opened.defer(auditSinks.stop);
  dispatcher.start();
  courier?.start();
  const keepStagedMs = STAGED_KEEP_MS;
  const retention = startRetention({ db, store, staging, renditions, keepMs, keepStagedMs, clock, log });
  opened.move();

  return {
    fetch: edge.fetch,
    upgrade: edge.upgrade,
    developmentKey: firstKey,
    async drain() {
      draining = true;
      edge.endLive();
      const { drainMs } = config;
      await Promise.all([dispatcher.drain(drainMs), courier?.drain(drainMs), retention.stop()]);
    },
    async close() {
      // Every step is taken, also when one before it fails.
      await using closing = new AsyncDisposableStack();
      closing.defer(pictures.close);
      closing.defer(records.close);
      closing.defer(retention.stop);
      closing.defer(providers.close);
      closing.defer(auditSinks.stop);
      closing.defer(auditTrail.settle);
      closing.defer(edge.close);
    },
  };
}

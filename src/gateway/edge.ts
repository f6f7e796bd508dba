import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { type AppOptions, createApp } from '../http/app.ts';
import { createAuthenticator } from '../http/authenticate.ts';
import { createGraphql } from '../http/graphql.ts';
import { guardUpgrade } from '../http/guard-upgrade.ts';
import { createHooks } from '../http/hooks.ts';
import { createKeyUse } from '../http/key-use.ts';
import { createLive } from '../http/live.ts';
import { readManifest } from '../http/persisted-manifest.ts';
import { createWebSockets } from '../http/websocket.ts';
import { findApiKey, noteKeyUse } from '../ledger/api-keys.ts';
import { type Database, orUnavailable } from '../ledger/database.ts';
import { CHANNELS, type Notifications } from '../ledger/notifications.ts';
import type { GessoPlugin } from '../plugin.ts';
import { buildSchema } from '../schema/build.ts';
import type { GatewayPort } from '../schema/context.ts';
import { createReads } from './reads.ts';
import { bootstrapKey } from './secrets.ts';

export interface EdgeOptions {
  readonly config: Config;
  readonly db: Database;
  readonly notifications: Notifications;
  /** What the schema asks of the gateway. */
  readonly port: GatewayPort;
  readonly images: AppOptions['images'];
  readonly ready: AppOptions['ready'];
  /** What they add to the schema, and do around HTTP requests. */
  readonly plugins: readonly GessoPlugin[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** What callers touch: routes, GraphQL over HTTP and WebSocket, and who they are. */
export async function createEdge(options: EdgeOptions) {
  const { config, db, notifications, port, images, ready, plugins, clock, log } = options;
  const { now } = clock;
  const keyUse = createKeyUse(
    (ids) => noteKeyUse(db, ids, now()),
    (error) => log.warn({ err: error }, 'when keys were last used could not be noted'),
  );
  const authenticator = createAuthenticator({
    findKey: (publicId) => orUnavailable(findApiKey(db, publicId), 'The ledger is away; ask again.'),
    bootstrap: await bootstrapKey(config, db, clock),
    mayCache: () => notifications.listening,
    onUse: keyUse.add,
  });
  notifications.on(CHANNELS.keys, authenticator.forget);
  notifications.onLoss(authenticator.forgetAll);
  notifications.onResume(() => {
    authenticator
      .recheck()
      .catch((error: unknown) => log.warn({ err: error }, 'looking for revoked keys failed'));
  });

  const hooks = createHooks(plugins);
  const graphql = createGraphql({
    schema: buildSchema({
      extensions: plugins,
      subgraph: config.federation !== 'off',
      nodeQueries: config.federation !== 'without-node',
    }),
    production: config.production,
    imagesPerOperation: config.imagesPerOperation,
    manifest: config.documents === undefined ? undefined : await readManifest(config.documents),
    manifestOnly: config.documentsOnly,
    onUnexpected: (error) => log.error({ err: error }, 'a resolver failed unexpectedly'),
  });
  const live = createLive();
  const createContext: AppOptions['createContext'] = ({ principal, requestId, signal }) => ({
    principal,
    requestId,
    signal,
    gateway: port,
    read: createReads(db, principal, now),
  });
  const { upgrade } = createWebSockets({ graphql, authenticator, createContext, live, log });
  const { corsOrigins } = config;
  const app = createApp({
    graphql,
    authenticator,
    createContext,
    live,
    images,
    ready,
    hooks,
    corsOrigins,
    log,
  });

  return {
    fetch: app.fetch,
    upgrade: guardUpgrade(upgrade, hooks, log),
    /** Ends the subscriptions, whose clients then look for another replica. */
    endLive: live.close,
    async close(): Promise<void> {
      await keyUse.close();
      await graphql.dispose();
    },
  };
}

import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { createApiKey, revokeApiKey } from '../ledger/api-keys.ts';
import type { createAuditTrail } from '../ledger/audit.ts';
import type { Database } from '../ledger/database.ts';
import type { GatewayPort } from '../schema/context.ts';
import { webhookSecrets } from './webhooks.ts';

export interface PortOptions
  extends Pick<GatewayPort, 'generate' | 'cancel' | 'watch' | 'providers' | 'images' | 'now'> {
  readonly config: Config;
  readonly db: Database;
  readonly auditTrail: ReturnType<typeof createAuditTrail>;
  readonly log: Logger;
}

/** The gateway as the schema sees it. */
export function createPort({ config, db, auditTrail, log, ...port }: PortOptions): GatewayPort {
  const { now } = port;
  return {
    ...port,
    maxWaitMs: config.waitMs,
    webhookHosts: config.webhookHosts,
    webhookSecret: webhookSecrets(config),
    createApiKey: (key) => createApiKey(db, key, now()),
    revokeApiKey: (id, requestId) => revokeApiKey(db, id, requestId, now()),
    recordDenied(line) {
      auditTrail
        .append(line)
        .catch((error: unknown) => log.error({ err: error }, 'the line of a denial was lost'));
    },
  };
}

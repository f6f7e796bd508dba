import { hasScope, type Principal } from '../generation.ts';
import { apiKeysById, listApiKeys } from '../ledger/api-keys.ts';
import { attemptsOf } from '../ledger/attempts.ts';
import { auditEventsById, listAuditEvents } from '../ledger/audit-events.ts';
import { clientsById } from '../ledger/clients.ts';
import type { Database } from '../ledger/database.ts';
import { generationsById, listGenerations } from '../ledger/generations.ts';
import { imagesById, imagesOf } from '../ledger/images.ts';
import { quotaUsed, utcDay } from '../ledger/quota.ts';
import type { ReadPort } from '../schema/context.ts';

/** No client has it: a caller without a key sees nothing. */
const NO_CLIENT = '00000000-0000-0000-0000-000000000000';

/** The ledger as one caller may see it. */
export function createReads(db: Database, principal: Principal | undefined, now: () => Date): ReadPort {
  const may = (scope: Parameters<typeof hasScope>[1]) =>
    principal !== undefined && hasScope(principal, scope);
  const viewer = { clientId: principal?.clientId ?? NO_CLIENT, seesAll: may('generations:read') };
  const seesClients = viewer.seesAll || may('audit:read');
  return {
    generationsById: (ids) => generationsById(db, viewer, ids),
    imagesById: (ids) => imagesById(db, viewer, ids),
    // Asked for generations that were seen already.
    imagesOf: (generationIds) => imagesOf(db, generationIds),
    attemptsOf: (generationIds) => attemptsOf(db, generationIds),
    async clientsById(ids) {
      const visible = seesClients ? ids : ids.filter((id) => id === viewer.clientId);
      return visible.length === 0 ? [] : clientsById(db, visible);
    },
    auditEventsById: async (ids) => (may('audit:read') ? auditEventsById(db, ids) : []),
    apiKeysById: async (ids) => (may('admin') ? apiKeysById(db, ids) : []),
    listGenerations: (filter, page) => listGenerations(db, viewer, filter, page),
    listAuditEvents: (filter, page) => listAuditEvents(db, filter, page),
    listApiKeys: (page) => listApiKeys(db, page),
    quotaUsed: (apiKeyId) => quotaUsed(db, apiKeyId, utcDay(now())),
  };
}

import { decodeGlobalID } from '@pothos/plugin-relay';

/** Ids are UUIDs; anything else can't be in the ledger, and is not worth a query (nor PostgreSQL's complaint). */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isUuid = (id: string): boolean => UUID.test(id);

/** The UUID inside a global id of this type; undefined for any other text. */
export function localId(typename: string, globalId: string): string | undefined {
  try {
    const decoded = decodeGlobalID(globalId);
    return decoded.typename === typename && isUuid(decoded.id) ? decoded.id : undefined;
  } catch {
    // What can't be decoded names nothing.
    return undefined;
  }
}

export const NODE_TYPES = ['Generation', 'Image', 'Client', 'AuditEvent', 'ApiKey'] as const;

/**
 * What `node` and `nodes` look for. An id that is malformed, or of a type that is no node, is not found like any
 * other, rather than an error: it becomes one that no loader knows.
 */
export function decodeNodeId(globalId: string): { typename: string; id: string } {
  for (const typename of NODE_TYPES) {
    const id = localId(typename, globalId);
    if (id !== undefined) return { typename, id };
  }
  return { typename: NODE_TYPES[0], id: '' };
}

/**
 * Puts loaded records in the order that a DataLoader asks for; null where there is none. (Pothos' loaders have no
 * type for "not there", though every field that leads to one is nullable; hence the cast.)
 */
export async function inOrder<Loaded extends { readonly id: string }>(
  ids: readonly string[],
  load: (ids: readonly string[]) => Promise<readonly Loaded[]>,
): Promise<Loaded[]> {
  const known = ids.filter(isUuid);
  const loaded = known.length === 0 ? [] : await load(known);
  const byId = new Map(loaded.map((record) => [record.id, record]));
  return ids.map((id) => byId.get(id) ?? null) as Loaded[];
}

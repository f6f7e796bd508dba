import { misuse } from './exit-codes.ts';

/**
 * Ids of nodes are 64 characters long, too long for a table and for typing. In tables, and as arguments, a node goes by
 * the UUID in it; JSON has the ids of the API. A gateway of this version makes ids of both as `src/schema/ids.ts` reads
 * them.
 */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export type NodeType = 'Generation' | 'Image' | 'Client';

/** The UUID of a node, for people; the id itself where it is of another shape. */
export function shortId(id: string): string {
  const uuid = decoded(id)?.uuid;
  return uuid ?? id;
}

/**
 * The id of the API for what was typed: a UUID, or such an id.
 * @returns an id for each type that it may be of.
 * @throws {CommandFailure} for anything else.
 */
export function nodeIds<Type extends NodeType>(
  typed: string,
  types: readonly Type[],
): readonly { readonly type: Type; readonly id: string }[] {
  const uuid = UUID.test(typed) ? typed.toLowerCase() : undefined;
  if (uuid !== undefined) return types.map((type) => ({ type, id: encoded(type, uuid) }));
  const type = types.find((each) => each === decoded(typed)?.type);
  if (type !== undefined) return [{ type, id: typed }];
  throw misuse(`"${typed}" is no id.`, 'Ids are shown by gesso generations, and by --json of every command.');
}

const encoded = (type: NodeType, uuid: string): string => Buffer.from(`${type}:${uuid}`).toString('base64');

function decoded(id: string): { type: string; uuid: string } | undefined {
  const [type = '', uuid = ''] = Buffer.from(id, 'base64').toString().split(':');
  return UUID.test(uuid) ? { type, uuid } : undefined;
}

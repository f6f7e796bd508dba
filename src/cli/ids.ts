import type { GessoClient } from '../client/index.ts';
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
 * The end of a UUID, for a narrow table: all of it is random, so that nearly never two generations share it. In version
 * 7 the beginning is the time, and alike for what is made together.
 */
export const idEnding = (id: string): string => shortId(id).slice(-ENDING_LENGTH);

const ENDING_LENGTH = 12;
/** Among so many of the newest generations an ending is looked for. */
const LOOKED_THROUGH = 1_000;

/**
 * What was typed, or the UUID of the generation with this ending, looked for among the newest that the key may see.
 * @throws {CommandFailure} where none has it, or several have.
 */
export async function wholeId(typed: string, client: GessoClient, program: string): Promise<string> {
  const ending = typed.toLowerCase();
  if (!/^[0-9a-f]{12}$/.test(ending)) return typed;
  const found = new Set<string>();
  let count = 0;
  for await (const { id } of client.generations({ pageSize: 100 })) {
    if (idEnding(id) === ending) found.add(shortId(id));
    count += 1;
    if (count === LOOKED_THROUGH) break;
  }
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const some = only === undefined ? 'No generation' : 'More than one generation';
  throw misuse(
    `${some} of the newest ${LOOKED_THROUGH} that this key may see ends with "${typed}".`,
    `Give the whole id: ${program} generations | cat`,
  );
}

/**
 * The id of the API for what was typed: a UUID, or such an id.
 * @returns an id for each type that it may be of.
 * @throws {CommandFailure} for anything else.
 */
export function nodeIds<Type extends NodeType>(
  typed: string,
  types: readonly Type[],
  program: string,
): readonly { readonly type: Type; readonly id: string }[] {
  const uuid = UUID.test(typed) ? typed.toLowerCase() : undefined;
  if (uuid !== undefined) return types.map((type) => ({ type, id: encoded(type, uuid) }));
  const type = types.find((each) => each === decoded(typed)?.type);
  if (type !== undefined) return [{ type, id: typed }];
  throw misuse(
    `"${typed}" is no id.`,
    `Ids are shown by ${program} generations, and by --json of every command.`,
  );
}

const encoded = (type: NodeType, uuid: string): string => Buffer.from(`${type}:${uuid}`).toString('base64');

function decoded(id: string): { type: string; uuid: string } | undefined {
  const [type = '', uuid = ''] = Buffer.from(id, 'base64').toString().split(':');
  return UUID.test(uuid) ? { type, uuid } : undefined;
}

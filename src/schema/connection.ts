import { type PageInfoShape, resolveCursorConnection } from '@pothos/plugin-relay';
import { InvalidInputError } from '../errors.ts';
import type { Page } from '../ledger/page.ts';
import { isUuid } from './ids.ts';

const DEFAULT_PAGE_SIZE = 20;
const MAX_PAGE_SIZE = 100;

interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** Cursors are opaque to clients; within, they are the id that the list is ordered by. */
const toCursor = (item: unknown): string =>
  Buffer.from((item as { readonly id: string }).id).toString('base64url');

function fromCursor(name: string, cursor: string | null | undefined): string | undefined {
  if (cursor === null || cursor === undefined) return undefined;
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!isUuid(id)) throw new InvalidInputError([{ path: [name], message: 'is no cursor of this list.' }]);
  return id;
}

/** A Relay connection over a list that is ordered by id, newest first. */
export async function connectionOf<Item extends { readonly id: string }>(
  args: PageArguments,
  list: (page: Page) => Promise<readonly Item[]>,
): Promise<{ pageInfo: PageInfoShape; edges: { cursor: string; node: Item }[] }> {
  for (const name of ['first', 'last'] as const) {
    const asked = args[name];
    if (typeof asked === 'number' && !(asked >= 0 && asked <= MAX_PAGE_SIZE)) {
      throw new InvalidInputError([{ path: [name], message: `must be 0 to ${MAX_PAGE_SIZE}.` }]);
    }
  }
  const after = fromCursor('after', args.after);
  const before = fromCursor('before', args.before);
  // Pothos can't follow a generic item; the edges are of what `list` gave.
  const connection = (await resolveCursorConnection(
    { args, toCursor, defaultSize: DEFAULT_PAGE_SIZE, maxSize: MAX_PAGE_SIZE },
    ({ limit, inverted }) => list({ limit, inverted, after, before }),
  )) as { pageInfo: PageInfoShape; edges: { cursor: string; node: Item }[] };
  if (connection.edges.length > 0) return connection;
  // An empty page has no first and no last cursor; Pothos puts an empty text there, which is none either.
  return { ...connection, pageInfo: { ...connection.pageInfo, startCursor: null, endCursor: null } };
}

import type { GraphqlClient } from './graphql-client.ts';

export interface PageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

export interface ListPage {
  readonly ids: readonly string[];
  readonly cursors: readonly string[];
  readonly pageInfo: PageInfo;
}

/** Reads pages of one list, by the ids of its nodes. `args` as GraphQL has them: `first: 10, after: "…"`. */
export const pagesOf =
  (caller: GraphqlClient, list: string) =>
  async (args = ''): Promise<ListPage> => {
    const data = await caller.query<{
      [list: string]: { edges: { cursor: string; node: { id: string } }[]; pageInfo: PageInfo };
    }>(`{
      ${list}${args === '' ? '' : `(${args})`} {
        edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }`);
    const page = data[list];
    if (page === undefined) throw new Error(`There is no list called "${list}".`);
    return {
      ids: page.edges.map(({ node }) => node.id),
      cursors: page.edges.map(({ cursor }) => cursor),
      pageInfo: page.pageInfo,
    };
  };

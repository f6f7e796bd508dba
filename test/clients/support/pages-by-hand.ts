import type { GenerationList, Session } from './driver.ts';
import { GENERATIONS_QUERY, type GenerationSeen } from './operations.ts';

/** A paged list of a client that leaves paging to its caller. */
export async function pagesByHand(send: Session['query'], first: number): Promise<GenerationList> {
  const shown: GenerationSeen[] = [];
  async function load(after: string | null) {
    const { generations } = await send(GENERATIONS_QUERY, { first, after });
    if (generations === null) throw new Error('There is no list.');
    shown.push(...generations.edges.map(({ node }) => node));
    return generations.pageInfo;
  }
  let { endCursor, hasNextPage } = await load(null);
  return {
    now: () => shown,
    hasNext: () => hasNextPage,
    async loadNext() {
      ({ endCursor, hasNextPage } = await load(endCursor));
    },
    close: () => undefined,
  };
}

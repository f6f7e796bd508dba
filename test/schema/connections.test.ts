import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf } from '../support/edge.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { type ListPage, pagesOf } from '../support/paging.ts';

/** More than one page of 10, and not a multiple of it. */
const ROWS = 27;

describe('a connection', () => {
  let gateway: TestGateway;
  /** Of all rows of each list, newest first. */
  const expected: Record<string, string[]> = {};
  beforeAll(async () => {
    gateway = await startTestGateway();
    for (const count of [10, 10, 7]) await gateway.generateImages({ prompt: 'a row', count });
    await Promise.all(Array.from({ length: ROWS }, (_, index) => gateway.createClient(`client ${index}`)));
    for (const [list, table, typename] of [
      ['generations', 'generations', 'Generation'],
      ['apiKeys', 'api_keys', 'ApiKey'],
      ['auditEvents', 'audit_events', 'AuditEvent'],
    ] as const) {
      const rows = await gateway.sql<{ id: string }>(`select id from ${table} order by id desc`);
      expected[list] = rows.map(({ id }) => Buffer.from(`${typename}:${id}`).toString('base64'));
    }
    expect(expected.generations).toHaveLength(ROWS);
    expect(expected.apiKeys).toHaveLength(ROWS);
  });
  afterAll(() => gateway.close());

  /** Reads a list to its end, a page after another. */
  async function walk(list: string, size: number, direction: 'forward' | 'backward'): Promise<ListPage[]> {
    const pages: ListPage[] = [];
    let cursor: string | null = null;
    do {
      const [count, from] = direction === 'forward' ? ['first', 'after'] : ['last', 'before'];
      const args = `${count}: ${size}${cursor === null ? '' : `, ${from}: "${cursor}"`}`;
      const page = await pagesOf(gateway, list)(args);
      pages.push(page);
      const { hasNextPage, endCursor, hasPreviousPage, startCursor } = page.pageInfo;
      cursor =
        direction === 'forward' ? (hasNextPage ? endCursor : null) : hasPreviousPage ? startCursor : null;
    } while (cursor !== null);
    return pages;
  }

  describe.each(['generations', 'apiKeys', 'auditEvents'])('of %s', (list) => {
    it('is read forward, newest first, each row once', async () => {
      const pages = await walk(list, 10, 'forward');
      expect(pages.flatMap(({ ids }) => ids)).toEqual(expected[list]);
      expect(pages.map(({ pageInfo }) => pageInfo.hasPreviousPage)).toEqual(
        pages.map((_, index) => index > 0),
      );
      expect(pages.map(({ pageInfo }) => pageInfo.hasNextPage)).toEqual(
        pages.map((_, index) => index < pages.length - 1),
      );
    });

    it('is read backward, in the same order within a page', async () => {
      const pages = await walk(list, 10, 'backward');
      expect(pages.toReversed().flatMap(({ ids }) => ids)).toEqual(expected[list]);
      expect(pages.map(({ pageInfo }) => pageInfo.hasNextPage)).toEqual(pages.map((_, index) => index > 0));
    });

    it('ends exactly where the rows end', async () => {
      const all = expected[list] ?? [];
      const size = Math.min(all.length, 100);
      const { ids, pageInfo } = await pagesOf(gateway, list)(`first: ${size}`);
      expect(ids).toEqual(all.slice(0, size));
      expect(pageInfo.hasNextPage).toBe(all.length > size);
    });
  });

  const generations = (args?: string) => pagesOf(gateway, 'generations')(args);

  it('has pages of 20 unless it is told otherwise', async () => {
    const { ids, pageInfo } = await generations();
    expect(ids).toEqual(expected.generations?.slice(0, 20));
    expect(pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  it('tells where a page begins and ends', async () => {
    const { cursors, pageInfo } = await generations('first: 5');
    expect(cursors).toHaveLength(5);
    expect([pageInfo.startCursor, pageInfo.endCursor]).toEqual([cursors[0], cursors[4]]);
  });

  it('is read between two cursors, from either end', async () => {
    const { cursors } = await generations('first: 100');
    const between = `after: "${cursors[4]}", before: "${cursors[20]}"`;
    expect((await generations(`first: 6, ${between}`)).ids).toEqual(expected.generations?.slice(5, 11));
    expect((await generations(`last: 6, ${between}`)).ids).toEqual(expected.generations?.slice(14, 20));
    expect((await generations(between)).ids).toEqual(expected.generations?.slice(5, 20));
  });

  it('has an empty page behind its end, without cursors', async () => {
    const { cursors } = await generations('first: 100');
    const page = await generations(`first: 10, after: "${cursors.at(-1)}"`);
    expect(page).toMatchObject({
      ids: [],
      pageInfo: { hasNextPage: false, startCursor: null, endCursor: null },
    });
    expect((await generations('first: 0')).pageInfo).toMatchObject({ startCursor: null, endCursor: null });
  });

  it('keeps its place when rows come in front', async () => {
    const { ids, pageInfo } = await generations('first: 10');
    await gateway.generateImage({ prompt: 'a newer row' });
    const next = await generations(`first: 10, after: "${pageInfo.endCursor}"`);
    expect([...ids, ...next.ids]).toEqual(expected.generations?.slice(0, 20));
  });

  it.each([
    ['first: 1000', 'first: must be 0 to 100.'],
    ['first: 101', 'first: must be 0 to 100.'],
    ['first: -1', 'first: must be 0 to 100.'],
    ['last: 1000', 'last: must be 0 to 100.'],
    ['last: -1', 'last: must be 0 to 100.'],
    ['after: ""', 'after: is no cursor of this list.'],
    ['after: "nonsense"', 'after: is no cursor of this list.'],
    ['after: "%00"', 'after: is no cursor of this list.'],
    ['before: "bm9uc2Vuc2U"', 'before: is no cursor of this list.'],
    [`before: "${Buffer.from("' or 1=1 --").toString('base64url')}"`, 'before: is no cursor of this list.'],
  ])('says what is wrong with (%s)', async (args, message) => {
    for (const list of ['generations', 'apiKeys', 'auditEvents']) {
      const answer = await gateway.send(`{ ${list}(${args}) { edges { cursor } } }`);
      expect(answer.status).toBe(400);
      expect(codesOf(answer)).toEqual(['BAD_USER_INPUT']);
      expect(answer.body.errors?.[0]?.message).toBe(message);
    }
  });
});

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const PAGE = `query ($first: Int!) { generations(first: $first) { edges { node {
  id status client { id name }
  image { id url altText rendition(transform: { maxWidth: 64 }) { url width height } generation { id } }
  attempts { number outcome requestId }
} } pageInfo { hasNextPage } } }`;

const TRAIL = `query ($first: Int!) { auditEvents(first: $first) { edges { node {
  id action client { name } attempt { requestId } generation { id status image { id url } attempts { number } }
} } } }`;

/** Counts what is sent to PostgreSQL while `work` is under way, but for the queue's own rounds. */
async function statementsDuring(work: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = [];
  const { prototype } = pg.Client;
  const original = prototype.query;
  prototype.query = function query(this: pg.Client, ...args: unknown[]) {
    const [first] = args;
    const text = typeof first === 'string' ? first : (first as { text?: string }).text;
    if (text !== undefined && !/pgboss|gesso_queue|pg_notify|^listen|^select 1$|^set /i.test(text))
      statements.push(text);
    return Reflect.apply(original, this, args);
  } as typeof original;
  try {
    await work();
  } finally {
    prototype.query = original;
  }
  return statements;
}

describe('a page of a list', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
    const clients = [gateway, await gateway.createClient('alice'), await gateway.createClient('bob')];
    // Some of them have several attempts, some no image.
    gateway.sandbox.behave(
      { kind: 'status', status: 503 },
      { kind: 'status', status: 503 },
      { kind: 'status', status: 400 },
    );
    for (let round = 0; round < 6; round += 1) {
      await clients[round % clients.length]?.generateImages({ prompt: `round ${round}`, count: 10 });
    }
  });
  afterAll(() => gateway.close());

  it.each([
    ['generations, with images, attempts and clients', PAGE, 'generations', 5],
    ['audit events, with generations and their attempts', TRAIL, 'auditEvents', 7],
  ])('costs a fixed number of statements: %s', async (_what, query, list, atMost) => {
    const cost = async (first: number): Promise<string[]> =>
      statementsDuring(async () => {
        const { body } = await gateway.send(query, { first });
        expect(body.errors).toBeUndefined();
        expect(body.data[list].edges).toHaveLength(first);
      });
    const [small, large] = [await cost(5), await cost(50)];
    expect(small.length).toBeGreaterThan(0);
    expect(large).toHaveLength(small.length);
    expect(large.length).toBeLessThanOrEqual(atMost);
  });

  it('finds many nodes of one type with one statement', async () => {
    const rows = await gateway.sql<{ id: string }>('select id from generations limit 50');
    const ids = rows.map(({ id }) => Buffer.from(`Generation:${id}`).toString('base64'));
    const statements = await statementsDuring(async () => {
      const { body } = await gateway.send('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
      expect(body.data.nodes).toEqual(ids.map((id) => ({ id })));
    });
    expect(statements).toHaveLength(1);
  });
});

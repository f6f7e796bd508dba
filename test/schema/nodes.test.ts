import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const globalId = (typename: string, id: string): string =>
  Buffer.from(`${typename}:${id}`).toString('base64');
const UNKNOWN = '01978800-0000-7000-8000-000000000000';

describe('a node', () => {
  let gateway: TestGateway;
  /** One id of each type. */
  let ids: Record<string, string>;
  beforeAll(async () => {
    gateway = await startTestGateway();
    await gateway.createClient('a client');
    const { image, generation } = await gateway.generateImage({ prompt: 'a node' });
    type First = { edges: { node: { id: string } }[] };
    const data = await gateway.query<{
      viewer: { client: { id: string } };
      apiKeys: First;
      auditEvents: First;
    }>(`{
      viewer { client { id } }
      apiKeys(first: 1) { edges { node { id } } }
      auditEvents(first: 1) { edges { node { id } } }
    }`);
    ids = {
      Image: image?.id ?? '',
      Generation: generation?.id ?? '',
      Client: data.viewer.client.id,
      ApiKey: data.apiKeys.edges[0]?.node.id ?? '',
      AuditEvent: data.auditEvents.edges[0]?.node.id ?? '',
    };
  });
  afterAll(() => gateway.close());

  const typenames = schema
    .getImplementations(schema.getType('Node') as never)
    .objects.map(({ name }) => name);

  it('is of a type that these tests know', () => {
    expect(typenames.toSorted()).toEqual(Object.keys(ids).toSorted());
  });

  it.each(typenames)('is fetched again by its id, alone and among others: %s', async (typename) => {
    const all = Object.values(ids);
    const { body } = await gateway.send(
      'query ($id: ID!, $all: [ID!]!) { node(id: $id) { __typename id } nodes(ids: $all) { id } }',
      { id: ids[typename], all },
    );
    expect(body).toEqual({
      data: { node: { __typename: typename, id: ids[typename] }, nodes: all.map((id) => ({ id })) },
    });
  });

  it('is given in the order that was asked for, as often as it was asked for', async () => {
    const asked = [ids.Image, globalId('Image', UNKNOWN), ids.Generation, ids.Image, 'nonsense'];
    const { body } = await gateway.send('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: asked });
    expect(body).toEqual({
      data: { nodes: [{ id: ids.Image }, null, { id: ids.Generation }, { id: ids.Image }, null] },
    });
  });

  it('is one of a hundred at most', async () => {
    const ask = (count: number) =>
      gateway.send('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', {
        ids: Array.from({ length: count }, () => ids.Image),
      });
    const { body } = await ask(100);
    expect(body).toEqual({ data: { nodes: Array.from({ length: 100 }, () => ({ id: ids.Image })) } });
    const refused = await ask(101);
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({
      data: null,
      errors: [{ message: 'ids: takes 100 at most.', extensions: { code: 'BAD_USER_INPUT' } }],
    });
  });

  it.each([
    ['empty', ''],
    ['no base64', '%%%'],
    ['base64 of nothing of ours', Buffer.from('nonsense').toString('base64')],
    ['without a type', globalId('', UNKNOWN)],
    ['without an id', globalId('Generation', '')],
    ['of a type that there is not', globalId('Nonsense', UNKNOWN)],
    ['of a type that is no node', globalId('Viewer', UNKNOWN)],
    ['of a scalar', globalId('String', UNKNOWN)],
    ['of an interface', globalId('Node', UNKNOWN)],
    ['of no UUID', globalId('Generation', '1')],
    ['with an injection', globalId('Generation', `${UNKNOWN}' or 1=1 --`)],
    ['with a NUL', globalId('Generation', `${UNKNOWN}\0`)],
    ['with one part too many', globalId('Generation', `${UNKNOWN}:1`)],
    ['very long', globalId('Generation', 'x'.repeat(100_000))],
    ['an unknown generation', globalId('Generation', UNKNOWN)],
    ['an unknown image', globalId('Image', UNKNOWN)],
    ['an unknown client', globalId('Client', UNKNOWN)],
    ['an unknown key', globalId('ApiKey', UNKNOWN)],
    ['an unknown line of the trail', globalId('AuditEvent', UNKNOWN)],
  ])('is null for an id that is %s', async (_what, id) => {
    const answer = await gateway.send(
      'query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id, $id]) { id } image(id: $id) { id } generation(id: $id) { id } }',
      { id },
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ data: { node: null, nodes: [null, null], image: null, generation: null } });
  });

  it('is null where the id is of another type', async () => {
    const { body } = await gateway.send(
      'query ($image: ID!, $generation: ID!) { image(id: $generation) { id } generation(id: $image) { id } }',
      { image: ids.Image, generation: ids.Generation },
    );
    expect(body).toEqual({ data: { image: null, generation: null } });
  });
});

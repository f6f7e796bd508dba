import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf } from '../support/edge.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { GraphqlClient } from '../support/graphql-client.ts';

interface Ids {
  readonly image: string;
  readonly generation: string;
  readonly client: string;
  readonly apiKey: string;
  readonly auditEvent: string;
}

describe('what belongs to another client', () => {
  let gateway: TestGateway;
  let alice: GraphqlClient;
  let bob: GraphqlClient;
  let ids: Ids;
  const key = freshKey();

  beforeAll(async () => {
    gateway = await startTestGateway();
    alice = await gateway.createClient('alice');
    const { image, generation } = await alice.generateImage({ prompt: 'a secret', idempotencyKey: key });
    const { viewer } = await alice.query<{ viewer: { client: { id: string } } }>(
      '{ viewer { client { id } } }',
    );
    type First = { edges: { node: { id: string } }[] };
    const { apiKeys, auditEvents } = await gateway.query<{ apiKeys: First; auditEvents: First }>(
      '{ apiKeys(first: 1) { edges { node { id } } } auditEvents(first: 1) { edges { node { id } } } }',
    );
    ids = {
      image: image?.id ?? '',
      generation: generation?.id ?? '',
      client: viewer.client.id,
      apiKey: apiKeys.edges[0]?.node.id ?? '',
      auditEvent: auditEvents.edges[0]?.node.id ?? '',
    };
    bob = await gateway.createClient('bob');
  });
  afterAll(() => gateway.close());

  it.each(['image', 'generation', 'client', 'apiKey', 'auditEvent'] as const)(
    'is not found by its id: %s',
    async (what) => {
      const query =
        'query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } image(id: $id) { id } generation(id: $id) { id } }';
      const answer = await bob.send(query, { id: ids[what] });
      expect(answer.body).toEqual({ data: { node: null, nodes: [null], image: null, generation: null } });
      // The id is a good one, to whoever may see it.
      const { body } = await gateway.send('query ($id: ID!) { node(id: $id) { id } }', { id: ids[what] });
      expect(body.data.node).toEqual({ id: ids[what] });
    },
  );

  it('is in no list', async () => {
    const { body } = await bob.send(
      `query ($client: ID!) {
        all: generations { edges { cursor } }
        hers: generations(filter: { clientId: $client }) { edges { cursor } }
      }`,
      { client: ids.client },
    );
    expect(body).toEqual({ data: { all: { edges: [] }, hers: { edges: [] } } });
  });

  it('is not reached through relations of what one may see', async () => {
    const auditor = await gateway.createClient('auditor', ['audit:read']);
    const { body } = await auditor.send(
      `query ($generation: ID!) {
        auditEvents(filter: { generationId: $generation }) {
          edges { node { action generation { prompt } attempt { requestId } } }
        }
      }`,
      { generation: ids.generation },
    );
    const nodes = body.data.auditEvents.edges.map(({ node }: { node: object }) => node);
    expect(nodes.map(({ action }: { action: string }) => action)).toContain('ATTEMPT_STARTED');
    for (const node of nodes) expect(node).toMatchObject({ generation: null, attempt: null });
    expect(
      (await auditor.send('query ($id: ID!) { node(id: $id) { id } }', { id: ids.image })).body.data.node,
    ).toBeNull();
  });

  it('is not met by using the same idempotency key', async () => {
    const mine = await bob.generateImage({ prompt: 'my own', idempotencyKey: key });
    expect(mine).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(mine.image?.id).not.toBe(ids.image);
    const hers = await alice.generateImage({ prompt: 'a secret', idempotencyKey: key });
    expect(hers).toMatchObject({ replayed: true, image: { id: ids.image } });
  });

  it('can neither be revoked nor read without the scope for it', async () => {
    const revoke = await bob.send('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { __typename } }', {
      id: ids.apiKey,
    });
    expect(codesOf(revoke)).toEqual(['FORBIDDEN']);
    expect((await alice.send('{ viewer { scopes } }')).status).toBe(200);
    expect(codesOf(await bob.send('{ auditEvents { edges { cursor } } }'))).toEqual(['FORBIDDEN']);
  });

  it('is read by whoever has generations:read, and nothing more', async () => {
    const reader = await gateway.createClient('reader', ['generations:read']);
    const { body } = await reader.send(
      `query ($generation: ID!, $image: ID!, $key: ID!, $line: ID!) {
        generation(id: $generation) { prompt client { name } image { id } attempts { outcome } }
        image(id: $image) { generation { id } }
        key: node(id: $key) { id }
        line: node(id: $line) { id }
      }`,
      { generation: ids.generation, image: ids.image, key: ids.apiKey, line: ids.auditEvent },
    );
    expect(body).toEqual({
      data: {
        generation: {
          prompt: 'a secret',
          client: { name: 'alice' },
          image: { id: ids.image },
          attempts: [{ outcome: 'SUCCEEDED' }],
        },
        image: { generation: { id: ids.generation } },
        key: null,
        line: null,
      },
    });
  });
});

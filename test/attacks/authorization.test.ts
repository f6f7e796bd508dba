import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { codesOf, logOf, post, sendPlain } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const VIEWER = JSON.stringify({ query: '{ viewer { scopes client { name } } }' });

describe('a header that proves nothing', () => {
  let gateway: TestGateway;
  let key: string;
  beforeAll(async () => {
    gateway = await startTestGateway();
    key = (await gateway.createClient('a client')).key;
  });
  afterAll(() => gateway.close());

  const publicId = () => key.slice(0, 'gesso_0123456789abcdef'.length);
  it.each([
    ['empty', () => ['']],
    ['only a scheme', () => ['Bearer']],
    ['of another scheme', () => [`Basic ${Buffer.from(`gesso:${key}`).toString('base64')}`]],
    ['without a scheme', () => [key]],
    ['doubled', () => [`Bearer ${key}`, `Bearer ${key}`]],
    ['doubled, with another', () => [`Bearer ${key}`, 'Basic eDp5']],
    ['two keys in one', () => [`Bearer ${key} ${key}`]],
    ['overlong', () => [`Bearer ${'a'.repeat(8_000)}`]],
    ['overlong, with a good key in front', () => [`Bearer ${key}${'a'.repeat(600)}`]],
    ['not ASCII', () => ['Bearer gesso_\xe9\xff']],
    ['with a tab inside', () => [`Bearer ${key.slice(0, 20)}\t${key.slice(20)}`]],
    ['of a key that there is not', () => [`Bearer gesso_0000000000000000_${'A'.repeat(43)}`]],
    ['of a key with another secret', () => [`Bearer ${publicId()}_${'A'.repeat(43)}`]],
    ['of half a key', () => [`Bearer ${publicId()}`]],
    ['of a key in capitals', () => [`Bearer ${key.toUpperCase()}`]],
    ['almost the admin key', () => [`Bearer ${ADMIN_KEY}x`]],
  ])('is refused with 401, and with no reason given: %s', async (_what, values) => {
    const headers = values().flatMap((value) => ['Authorization', value]);
    const answer = await sendPlain(gateway, { headers, body: VIEWER });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(JSON.parse(answer.text)).toEqual({
      errors: [{ message: 'The API key is not valid.', extensions: { code: 'UNAUTHENTICATED' } }],
    });
  });

  it('is refused before anything is parsed, also for what is open to all', async () => {
    const headers = ['Authorization', 'Bearer x'];
    expect((await sendPlain(gateway, { headers, body: '{"query":"{ __typename }"}' })).status).toBe(401);
    expect((await sendPlain(gateway, { headers, body: 'no JSON' })).status).toBe(401);
    expect(
      (await sendPlain(gateway, { method: 'GET', headers: [...headers, 'Accept', 'text/html'] })).status,
    ).toBe(401);
  });

  it('is no failure of the gateway', () => {
    expect(logOf(gateway).filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it.each([
    ['in small letters', () => `bearer ${key}`],
    ['with spaces', () => `Bearer   ${key}  `],
  ])('is not one that is only spelt otherwise: %s', async (_what, value) => {
    const answer = await sendPlain(gateway, { headers: ['Authorization', value()], body: VIEWER });
    expect(JSON.parse(answer.text)).toMatchObject({ data: { viewer: { client: { name: 'a client' } } } });
  });
});

describe('a request without any key', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it.each([
    ['viewer', '{ viewer { scopes } }'],
    ['node', '{ node(id: "x") { id } }'],
    ['nodes', '{ nodes(ids: ["x"]) { id } }'],
    ['image', '{ image(id: "x") { id } }'],
    ['generation', '{ generation(id: "x") { id } }'],
    ['generations', '{ generations { edges { cursor } } }'],
    ['auditEvents', '{ auditEvents { edges { cursor } } }'],
    ['providers', '{ providers { name } }'],
    ['apiKeys', '{ apiKeys { edges { cursor } } }'],
    ['generateImage', 'mutation { generateImage(input: { prompt: "x" }) { __typename } }'],
    ['generateImages', 'mutation { generateImages(input: { prompt: "x", count: 1 }) { __typename } }'],
    [
      'createApiKey',
      'mutation { createApiKey(input: { clientName: "x", scopes: ["admin"] }) { __typename } }',
    ],
    ['revokeApiKey', 'mutation { revokeApiKey(input: { id: "x" }) { __typename } }'],
  ])('is told to bring one: %s', async (_field, query) => {
    const answer = await post(gateway, { query });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
    expect(gateway.sandbox.journal.calls()).toEqual([]);
  });

  it('may see that there is a gateway', async () => {
    const answer = await post(gateway, { query: '{ __typename }' });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ data: { __typename: 'Query' } });
  });
});

describe('a key without the scope', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it.each([
    [
      'generateImage',
      'generations:read',
      'mutation { generateImage(input: { prompt: "x" }) { __typename } }',
    ],
    [
      'generateImages',
      'audit:read',
      'mutation { a: generateImages(input: { prompt: "x", count: 2 }) { __typename } }',
    ],
  ] as const)('generates nothing, and the denial is on the trail: %s', async (field, scope, query) => {
    const reader = await gateway.createClient(`reader of ${field}`, [scope]);
    const requestId = `denied-${field}`;
    const answer = await reader.send(query, {}, { 'x-request-id': requestId });
    expect(answer.status).toBe(403);
    expect(codesOf(answer)).toEqual(['FORBIDDEN']);
    expect(gateway.sandbox.journal.calls()).toEqual([]);

    const lines = await vi.waitFor(async () => {
      const { auditEvents } = await gateway.query<{ auditEvents: { edges: { node: object }[] } }>(
        '{ auditEvents(filter: { actions: [GENERATION_DENIED] }) { edges { node { requestId message client { name } } } } }',
      );
      const found = auditEvents.edges
        .map(({ node }) => node)
        .filter((node) => 'requestId' in node && node.requestId === requestId);
      expect(found).toHaveLength(1);
      return found;
    });
    expect(lines).toEqual([
      { requestId, client: { name: `reader of ${field}` }, message: expect.stringContaining(field) },
    ]);
  });

  it.each([
    ['auditEvents', '{ auditEvents { edges { cursor } } }'],
    ['apiKeys', '{ apiKeys { edges { cursor } } }'],
    [
      'createApiKey',
      'mutation { createApiKey(input: { clientName: "x", scopes: ["admin"] }) { __typename } }',
    ],
    ['revokeApiKey', 'mutation { revokeApiKey(input: { id: "x" }) { __typename } }'],
  ])('does not get at what others govern: %s', async (field, query) => {
    const client = await gateway.createClient('a client', ['images:generate', 'generations:read']);
    const answer = await client.send(query);
    expect(answer.status).toBe(403);
    expect(codesOf(answer)).toEqual(['FORBIDDEN']);
    expect(answer.body.data?.[field] ?? null).toBeNull();
  });
});

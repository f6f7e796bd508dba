import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const APP = 'https://app.example.com';
const OTHER = 'https://other.example';

describe.each([
  { origins: APP, allowed: { [APP]: APP, [OTHER]: null } },
  { origins: `${OTHER}, ${APP}`, allowed: { [APP]: APP, [OTHER]: OTHER } },
  { origins: '*', allowed: { [APP]: '*', [OTHER]: '*' } },
])('GESSO_CORS_ORIGINS=$origins', ({ origins, allowed }) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { GESSO_CORS_ORIGINS: origins } });
  });
  afterAll(() => gateway.close());

  it.each(Object.entries(allowed))('answers the preflight of %s', async (origin, said) => {
    const { headers } = await fetch(`${gateway.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(headers.get('access-control-allow-origin')).toBe(said);
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    if (said !== null) expect(headers.get('access-control-allow-headers')).toContain('Authorization');
  });

  it.each(Object.entries(allowed))('lets a page of %s read an answer, or not', async (origin, said) => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { origin, 'content-type': 'application/json', authorization: `Bearer ${ADMIN_KEY}` },
      body: JSON.stringify({ query: '{ viewer { client { name } } }' }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe(said);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

describe('a plug-in that answers in the place of the gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const onRequest = () => new Response('Too many.', { status: 429, headers: { vary: 'Accept' } });
    gateway = await startTestGateway({
      environment: { GESSO_CORS_ORIGINS: APP },
      extensions: { plugins: [{ name: 'limit', httpHooks: { onRequest } }] },
    });
  });
  afterAll(() => gateway.close());

  it('answers no preflight', async () => {
    const { status, headers } = await fetch(`${gateway.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: APP, 'access-control-request-method': 'POST' },
    });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, APP]);
    expect(headers.get('x-request-id')).toMatch(/.+/);
  });

  it.each([
    [APP, APP],
    [OTHER, null],
  ])('is read by a page of %s, or not', async (origin, said) => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { origin },
      body: '{}',
    });
    expect([response.status, await response.text()]).toEqual([429, 'Too many.']);
    expect(response.headers.get('access-control-allow-origin')).toBe(said);
    expect(response.headers.get('access-control-expose-headers')).toContain('Retry-After');
    expect(response.headers.get('vary')).toBe('Accept, Origin');
  });
});

describe('an origin that is none', () => {
  it.each(['app.example.com', 'https://app.example.com/page', 'https://a.example, *'])(
    'is refused at start: %s',
    async (origins) => {
      await expect(startTestGateway({ environment: { GESSO_CORS_ORIGINS: origins } })).rejects.toThrow(
        /GESSO_CORS_ORIGINS must be origins with commas between/,
      );
    },
  );
});

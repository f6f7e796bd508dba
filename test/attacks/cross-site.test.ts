import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const QUERY = 'mutation { generateImage(input: { prompt: "x" }) { __typename } }';
const ORIGIN = 'https://elsewhere.example';

describe('a paid mutation that a foreign page could send', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());
  afterEach(() => expect(gateway.sandbox.journal.calls()).toEqual([]));

  it('is refused by GET', async () => {
    const response = await fetch(`${gateway.url}/graphql?${new URLSearchParams({ query: QUERY })}`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    expect(response.status).toBe(405);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  const boundary = 'x-boundary';
  it.each([
    ['a form', 'application/x-www-form-urlencoded', String(new URLSearchParams({ query: QUERY }))],
    ['plain text', 'text/plain', JSON.stringify({ query: QUERY })],
    [
      'plain text with JSON in its parameters',
      'text/plain; x=application/json',
      JSON.stringify({ query: QUERY }),
    ],
    ['a bare document', 'application/graphql', QUERY],
    ['nothing that is named', '', JSON.stringify({ query: QUERY })],
    [
      'multipart',
      `multipart/form-data; boundary=${boundary}`,
      [
        `--${boundary}`,
        'Content-Disposition: form-data; name="operations"',
        '',
        JSON.stringify({ query: QUERY }),
        `--${boundary}--`,
        '',
      ].join('\r\n'),
    ],
  ])('is refused as %s', async (_what, contentType, body) => {
    const answer = await post(gateway, body, {
      authorization: `Bearer ${ADMIN_KEY}`,
      'content-type': contentType,
    });
    expect(answer.status).toBe(415);
    expect(codesOf(answer)).toEqual(['UNSUPPORTED_MEDIA_TYPE']);
  });

  it('gets no leave from a preflight', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type',
      },
    });
    expect(response.status).toBe(405);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });

  it('gets no leave to read an answer either', async () => {
    const response = await fetch(`${gateway.url}/graphql?query={__typename}`, {
      headers: { origin: ORIGIN },
    });
    expect(response.status).toBe(200);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});

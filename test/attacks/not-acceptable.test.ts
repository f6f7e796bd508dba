import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post, sendPlain } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const admin = { authorization: `Bearer ${ADMIN_KEY}` };
const BUY =
  'mutation { generateImage(input: { prompt: "x", idempotencyKey: "not-acceptable" }) { __typename } }';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

describe('a paid mutation whose answer nobody could read', () => {
  it.each([
    'image/png',
    'text/html',
    'application/xml, text/plain;q=0.5',
    'application/json;charset=iso-8859-1',
    'application/*+json',
    '*',
    ',',
  ])('is refused before it is carried out: Accept: %s', async (accept) => {
    const answer = await post(gateway, { query: BUY }, { ...admin, accept });
    expect([answer.status, codesOf(answer)]).toEqual([406, ['NOT_ACCEPTABLE']]);
    expect(gateway.sandbox.journal.calls()).toEqual([]);
  });

  it.each([
    '*/*',
    'application/*',
    'application/json',
    'APPLICATION/JSON ; charset=utf-8',
    'application/graphql-response+json; q=0.9, image/png',
    'text/event-stream',
    'text/*',
    'multipart/mixed',
    '',
  ])('is any other, and bought once: Accept: %s', async (accept) => {
    const headers = ['Accept', accept, 'Authorization', admin.authorization];
    const answer = await sendPlain(gateway, { headers, body: JSON.stringify({ query: BUY }) });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('GenerateImageSuccess');
    expect(gateway.sandbox.journal.billed()).toHaveLength(1);
  });

  it('is refused by GET as ever, and a query whose answer can not be read too', async () => {
    const url = `${gateway.url}/graphql?query=${encodeURIComponent('{ __typename }')}`;
    const response = await fetch(url, { headers: { ...admin, accept: 'image/png' } });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }] });
  });
});

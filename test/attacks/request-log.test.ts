import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logOf, post, sendPlain } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const BODY = JSON.stringify({ query: '{ viewer { scopes } }' });
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const key = ['Authorization', `Bearer ${ADMIN_KEY}`];

const requestLines = (gateway: TestGateway) => logOf(gateway).filter(({ msg }) => msg === 'request');

describe('X-Request-Id', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it.each([['plain-id_1.2'], ['a/b:c=d+e'], ['x'.repeat(128)]])(
    'comes back as it was given: %s',
    async (given) => {
      const { headers } = await sendPlain(gateway, { headers: [...key, 'X-Request-Id', given], body: BODY });
      expect(headers['x-request-id']).toBe(given);
    },
  );

  it.each([
    ['left out', []],
    ['empty', ['']],
    ['overlong', ['x'.repeat(129)]],
    ['of two words', ['a b']],
    ['quoted', ['"a"']],
    ['a line of a log', ['{"level":30,"msg":"request"}']],
    ['not ASCII', ['caf\xe9']],
    ['doubled', ['a', 'b']],
    ['with an escaped line break', ['a%0d%0ab']],
  ])('is replaced when it is %s', async (_what, given) => {
    const headers = [...key, ...given.flatMap((value) => ['X-Request-Id', value])];
    const answer = await sendPlain(gateway, { headers, body: BODY });
    expect(answer.status).toBe(200);
    expect(answer.headers['x-request-id']).toMatch(UUID);
  });

  it('never gets through with a line break in it', async () => {
    // Folded over two lines, as HTTP once allowed; Node's client would not send it.
    const { connect } = await import('node:net');
    const { text } = await import('node:stream/consumers');
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.end(
      [
        'POST /graphql HTTP/1.1',
        'Host: x',
        'Connection: close',
        'Content-Type: application/json',
        `Authorization: Bearer ${ADMIN_KEY}`,
        'X-Request-Id: a\r\n {"msg":"request"}',
        `Content-Length: ${BODY.length}`,
        '',
        BODY,
      ].join('\r\n'),
    );
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|200) /);
    expect(answer).not.toContain('"msg"');
  });

  it('is on every answer, also of what goes wrong', async () => {
    for (const path of ['/graphql?query={__typename}', '/healthz', '/readyz', '/nothing', '/images/x']) {
      const response = await fetch(`${gateway.url}${path}`, {
        headers: { 'x-request-id': 'same-everywhere' },
      });
      expect([path, response.headers.get('x-request-id')]).toEqual([path, 'same-everywhere']);
    }
  });

  it('leads from the answer to the log and to the audit trail', async () => {
    const requestId = 'from-the-answer';
    await post(
      gateway,
      { query: 'mutation { generateImage(input: { prompt: "x" }) { __typename } }' },
      { authorization: `Bearer ${ADMIN_KEY}`, 'x-request-id': requestId },
    );
    expect(requestLines(gateway).filter((line) => line.requestId === requestId)).toEqual([
      expect.objectContaining({ method: 'POST', path: '/graphql', status: 200, client: 'admin' }),
    ]);
    const trail = await gateway.sql<{ action: string }>(
      'select action from audit_events where request_id = $1 order by id',
      [requestId],
    );
    expect(trail.map(({ action }) => action)).toEqual([
      'GENERATION_REQUESTED',
      'ATTEMPT_STARTED',
      'ATTEMPT_FINISHED',
      'GENERATION_SUCCEEDED',
    ]);
  });
});

describe('the log', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it('has one line a request, which no text of a caller can add to', async () => {
    const forged = '\n{"level":30,"msg":"request","status":200,"client":"admin"}\n';
    const before = requestLines(gateway).length;
    const send = (options: Parameters<typeof sendPlain>[1]) => sendPlain(gateway, options);
    const answers = [
      await send({ headers: key, body: BODY }),
      await send({ headers: key, body: JSON.stringify({ query: `{ viewer { scopes } } # ${forged}` }) }),
      await send({ headers: key, body: JSON.stringify({ query: forged }) }),
      await send({ headers: key, body: forged }),
      await send({ headers: ['Authorization', `Bearer ${encodeURIComponent(forged)}`], body: BODY }),
      await send({ method: 'GET', path: `/graphql?query=${encodeURIComponent(forged)}`, headers: key }),
      await send({ method: 'GET', path: `/${encodeURIComponent(forged)}` }),
      await send({ method: 'GET', path: `/images/${encodeURIComponent(forged)}` }),
      await send({
        headers: [...key, 'User-Agent', '{"msg":"request"}', 'X-Forwarded-For', '\\n{}'],
        body: BODY,
      }),
      await send({
        headers: key,
        body: JSON.stringify({
          query: 'mutation ($i: GenerateImageInput!) { generateImage(input: $i) { __typename } }',
          variables: { i: { prompt: forged, idempotencyKey: forged } },
        }),
      }),
    ];
    const lines = requestLines(gateway).slice(before);
    expect(lines.map(({ status }) => status)).toEqual(answers.map(({ status }) => status));
    // Lines that a terminal or a collector would split are none.
    for (const line of gateway.logLines) expect(line.trimEnd()).not.toMatch(/[\r\n\u2028\u2029]/);
  });

  it('holds neither keys nor what opens an image', async () => {
    const client = await gateway.createClient('a client');
    const { image } = await client.generateImage({ prompt: 'x' });
    const url = image?.url ?? '';
    expect((await fetch(url)).status).toBe(200);
    const log = gateway.logLines.join('');
    expect(log).toContain('/images/');
    const signature = /\/images\/[^.]+\.([^/]+)\//.exec(url)?.[1] ?? 'none';
    for (const secret of [client.key, ADMIN_KEY, signature]) expect(log).not.toContain(secret);
  });
});

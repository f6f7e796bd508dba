import { Agent } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, post, sendPlain } from '../support/edge.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const MEBIBYTE = 1024 * 1024;
const admin = { authorization: `Bearer ${ADMIN_KEY}` };
const GENERATE = `mutation ($prompt: String!) {
  generateImage(input: { prompt: $prompt }) {
    __typename
    ... on InvalidInputError { retryable issues { path message } }
  }
}`;

describe('a body that is too large', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it('is refused by the length that it claims', async () => {
    const answer = await post(gateway, { query: '{ __typename }', padding: 'x'.repeat(MEBIBYTE) }, admin);
    expect(answer.status).toBe(413);
    expect(codesOf(answer)).toEqual(['PAYLOAD_TOO_LARGE']);
  });

  it('that is not is taken in chunks too', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: new Blob(['{ "query": "{ viewer { scopes } }" }']).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(await response.json()).toEqual({ data: { viewer: { scopes: ['admin'] } } });
  });

  it('is refused when it comes in chunks, of which little more than the limit is read', async () => {
    const chunk = new Uint8Array(64 * 1024).fill(0x20);
    let sentBytes = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sentBytes += chunk.byteLength;
        controller.enqueue(chunk);
      },
    });
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: endless,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] });
    // What the sockets' own buffers took on top is the system's business.
    expect(sentBytes).toBeLessThan(64 * MEBIBYTE);
  });

  it('that is no JSON is refused without being sent back', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: `"secret of the caller${' '.repeat(100_000)}`,
    });
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({
      errors: [{ message: 'POST body sent invalid JSON.', extensions: { code: 'BAD_REQUEST' } }],
    });
    expect(text).not.toContain('secret of the caller');
  });

  it('leaves whoever shares its connection alone', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = ['Authorization', `Bearer ${ADMIN_KEY}`];
    const large = await sendPlain(gateway, { agent, headers, body: 'x'.repeat(MEBIBYTE + 1) });
    expect(large).toMatchObject({ status: 413, headers: { connection: 'close' } });
    // Longer than the listener waits for the rest of a body that nobody reads.
    gateway.sandbox.behave({ kind: 'normal', delayMs: 800 });
    const body = JSON.stringify({ query: GENERATE, variables: { prompt: 'a slow one' } });
    const next = await sendPlain(gateway, { agent, headers, body });
    expect(JSON.parse(next.text)).toMatchObject({
      data: { generateImage: { __typename: 'GenerateImageSuccess' } },
    });
    agent.destroy();
  });

  it('is refused when it is compressed, whatever it would become', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync(Buffer.alloc(32 * MEBIBYTE)),
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'UNSUPPORTED_CONTENT_ENCODING' } }],
    });
  });

  it('is one byte larger than what is still answered', async () => {
    const bodyOf = (padding: string) => JSON.stringify({ query: '{ __typename }', extensions: { padding } });
    const room = 'x'.repeat(MEBIBYTE - bodyOf('').length);
    expect((await post(gateway, bodyOf(room), admin)).body.data).toEqual({ __typename: 'Query' });
    expect((await post(gateway, bodyOf(`${room}x`), admin)).status).toBe(413);
  });
});

describe('a prompt', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  const send = (prompt: string) => post(gateway, { query: GENERATE, variables: { prompt } }, admin);

  it.each([
    ['empty', ''],
    ['blank', ' \n\t\u3000'],
    ['of almost a megabyte', 'x'.repeat(1_000_000)],
    ['too long by one', 'x'.repeat(32_001)],
    ['too long by one, in emoji', '😀'.repeat(32_001)],
    ['with a NUL', 'a\0b'],
    ['with a lone high surrogate', 'a\ud800b'],
    ['with a lone low surrogate at its end', 'a\udc00'],
  ])('is refused when it is %s', async (_what, prompt) => {
    const { status, body } = await send(prompt);
    expect(status).toBe(200);
    expect(body.data.generateImage).toEqual({
      __typename: 'InvalidInputError',
      retryable: false,
      issues: [{ path: ['input', 'prompt'], message: expect.any(String) }],
    });
    expect(gateway.sandbox.journal.calls()).toEqual([]);
    expect(await gateway.sql('select id from generations')).toEqual([]);
  });

  it.each([
    ['32,000 letters', 'x'.repeat(32_000)],
    ['32,000 emoji', '😀'.repeat(32_000)],
    ['32,000 Chinese characters', '画'.repeat(32_000)],
    ['all that JSON escapes', '"\\\b\f\n\r\t/\u2028\u2029\u0001 {"b64_json":"'],
  ])('arrives whole when it is of %s', async (_what, prompt) => {
    gateway.sandbox.journal.clear();
    const { body } = await send(prompt);
    expect(body.data.generateImage.__typename).toBe('GenerateImageSuccess');
    expect(gateway.sandbox.journal.calls().map((call) => call.prompt)).toEqual([prompt]);
  });

  it('is refused as a literal with a lone surrogate, too', async () => {
    const query = 'mutation { generateImage(input: { prompt: "a\\uD800" }) { __typename } }';
    const answer = await post(gateway, { query }, admin);
    expect(codesOf(answer)).toEqual(['GRAPHQL_PARSE_FAILED']);
  });
});

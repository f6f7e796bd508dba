import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  hasNginx,
  type Replica,
  type RunningProxy,
  startProxy,
  startReplica,
} from '../support/deploy-proxy.ts';
import { ADMIN_KEY, startTestGateway } from '../support/gateway.ts';
import { createGraphqlClient } from '../support/graphql-client.ts';

const ONE_MEBIBYTE = 1024 * 1024;

let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

/** A proxy in front of two replicas that do nothing of their own. */
async function startBoth(): Promise<{ proxy: RunningProxy; replicas: [Replica, Replica] }> {
  const replicas: [Replica, Replica] = [await startReplica(), await startReplica()];
  const proxy = await startProxy([replicas[0].port, replicas[1].port]);
  closing.push(replicas[0].close, replicas[1].close, proxy.close);
  return { proxy, replicas };
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/graphql`, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', ...headers },
  });

describe.skipIf(!hasNginx)('deploy/nginx.conf, where nginx is installed', () => {
  it('brings a mutation to a gateway, and its picture back', async () => {
    const gateway = await startTestGateway();
    closing.push(gateway.close);
    const port = Number(new URL(gateway.url).port);
    const proxy = await startProxy([port, port]);
    closing.push(proxy.close);
    const client = createGraphqlClient(() => proxy.url, ADMIN_KEY);
    const { __typename, image } = await client.generateImage({ prompt: 'a boat' });
    expect(__typename).toBe('GenerateImageSuccess');
    const picture = await fetch(`${proxy.url}${new URL(image?.url ?? '').pathname}`);
    expect([picture.status, picture.headers.get('Content-Type')]).toEqual([200, 'image/png']);
    expect((await picture.arrayBuffer()).byteLength).toBe(Number(picture.headers.get('Content-Length')));
  });

  it('hands on what a client says, and who it is', async () => {
    const { proxy } = await startBoth();
    const host = new URL(proxy.url).host;
    const answer = await post(proxy.url, '{}', { Authorization: 'Bearer key', 'X-Request-Id': 'mine' });
    expect(await answer.json()).toMatchObject({ authorization: 'Bearer key', 'x-request-id': 'mine', host });
  });

  it('lets events out as they come', async () => {
    const { proxy, replicas } = await startBoth();
    let finish = () => {};
    for (const replica of replicas) {
      replica.answer = (_request, response) => {
        // Chunks would go out one by one in any case; what has none waits for a full buffer, where there is one.
        response.removeHeader('Transfer-Encoding');
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('event: next\n\n');
        finish = () => response.end('event: complete\n\n');
      };
    }
    const answer = await post(proxy.url, '{}', { Accept: 'text/event-stream' });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const read = async () => Buffer.from((await reader.read()).value ?? []).toString();
    expect(await read()).toBe('event: next\n\n');
    finish();
    expect(await read()).toBe('event: complete\n\n');
    expect(await reader.read()).toMatchObject({ done: true });
  });

  it('lets a WebSocket through, with its protocol', async () => {
    const { proxy } = await startBoth();
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    closing.push(async () => socket.terminate());
    await once(socket, 'open');
    expect(socket.protocol).toBe('graphql-transport-ws');
    socket.send('hello');
    const [message] = await once(socket, 'message');
    expect(String(message)).toBe('heard hello');
  });

  it('takes a body of 1 MiB, and refuses a larger one in the words of GraphQL', async () => {
    const { proxy, replicas } = await startBoth();
    expect((await post(proxy.url, 'x'.repeat(ONE_MEBIBYTE))).status).toBe(200);
    const refused = await post(proxy.url, 'x'.repeat(ONE_MEBIBYTE + 1));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] });
    expect(replicas.flatMap(({ received }) => received)).toHaveLength(1);
  });

  it('gives the other replica what a dead one never got', async () => {
    const { proxy, replicas } = await startBoth();
    await replicas[0].close();
    for (let asked = 0; asked < 6; asked += 1) expect((await post(proxy.url, '{}')).status).toBe(200);
    expect(replicas[1].received).toHaveLength(6);
  });

  it('never sends a mutation again that a replica got: its client is told to', async () => {
    const { proxy, replicas } = await startBoth();
    for (const replica of replicas) replica.answer = (request) => request.socket.destroy();
    const answer = await post(proxy.url, '{"query":"mutation"}');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('Retry-After')).toBe('5');
    expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
    expect(replicas.flatMap(({ received }) => received)).toEqual(['POST /graphql {"query":"mutation"}']);
  });

  it('writes the signature of an image into no log, also when no replica answers', async () => {
    const { proxy, replicas } = await startBoth();
    expect((await fetch(`${proxy.url}/images/signature-of-the-tests/a/b.png`)).status).toBe(200);
    for (const replica of replicas) await replica.close();
    expect((await fetch(`${proxy.url}/images/signature-of-the-tests/a/b.png`)).status).toBe(502);
    const logs = await proxy.logs();
    expect(logs.match(/"path":"\/images\/\[signed\]"/g)).toHaveLength(2);
    expect(logs).not.toContain('signature-of-the-tests');
  });

  it.each(['/readyz', '/metrics', '/graphql/more', '/.env'])('keeps %s to itself', async (path) => {
    const { proxy, replicas } = await startBoth();
    expect((await fetch(`${proxy.url}${path}`)).status).toBe(404);
    expect(replicas.flatMap(({ received }) => received)).toEqual([]);
  });
});

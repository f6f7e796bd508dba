import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

const UPGRADE = [
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** A connection that has sent a request, byte by byte as it is given. */
async function send(line: string, headers: readonly string[], body = ''): Promise<Socket> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write([line, 'Host: gateway', ...headers, '', body].join('\r\n'));
  return socket;
}

const isAlive = async () => (await fetch(`${gateway.url}/healthz`)).status === 200;

describe('a wish for a WebSocket that is refused', () => {
  it('and broken off does not end the process', async () => {
    for (let round = 0; round < 30; round++) {
      const socket = await send('GET /nothing HTTP/1.1', [...UPGRADE, 'Upgrade: websocket']);
      socket.on('error', () => undefined);
      socket.resetAndDestroy();
    }
    expect(await isAlive()).toBe(true);
  });

  it('is closed from this side, also where its client keeps it open', async () => {
    const socket = await send('GET /nothing HTTP/1.1', [...UPGRADE, 'Upgrade: websocket']);
    expect(await text(socket)).toContain('HTTP/1.1 404 Not Found');
  });
});

describe('a wish for a protocol that is not spoken here', () => {
  it('leaves the request as it is', async () => {
    const body = JSON.stringify({ query: '{ viewer { scopes } }' });
    const socket = await send(
      'POST /graphql HTTP/1.1',
      [
        'Connection: Upgrade, HTTP2-Settings, close',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
        `Authorization: Bearer ${gateway.key}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
      ],
      body,
    );
    expect(await text(socket)).toContain('{"data":{"viewer":{"scopes":["admin"]}}}');
  });
});

describe('a socket that has not said who it is', () => {
  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`${gateway.url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    return socket;
  };

  it('gets no echo of what it sends with a ping', async () => {
    const socket = await open();
    socket.send(JSON.stringify({ type: 'ping', payload: { filler: 'x'.repeat(1_000) } }));
    const [answer] = await once(socket, 'message');
    expect(JSON.parse(String(answer))).toEqual({ type: 'pong' });
    socket.terminate();
  });

  it('is closed for a first message that is too long', async () => {
    const socket = await open();
    socket.send(JSON.stringify({ type: 'ping', payload: { filler: 'x'.repeat(10_000) } }));
    const [code] = await once(socket, 'close');
    expect(code).toBe(1009);
  });

  it('fills no memory by not reading', async () => {
    const socket = await open();
    socket.on('error', () => undefined);
    socket.pause();
    const before = process.memoryUsage().rss;
    const ping = JSON.stringify({ type: 'ping' });
    for (let count = 0; count < 200_000 && socket.readyState === socket.OPEN; count++) socket.send(ping);
    await vi.waitFor(() => expect(socket.bufferedAmount).toBe(0), { timeout: 20_000 }).catch(() => undefined);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    socket.terminate();
    expect(await isAlive()).toBe(true);
  });
});

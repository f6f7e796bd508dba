import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openNotifications } from '../../src/ledger/notifications.ts';
import { createTestDatabase } from '../support/database.ts';
import { proxyTo } from '../support/tcp-proxy.ts';

describe('notifications behind a balancer without a server', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  it('tries one connection at a time, however each one ends', async () => {
    const database = await createTestDatabase();
    closers.push(database.drop);
    const { url, proxy } = await proxyTo(database.url);
    const notifications = await openNotifications({
      connection: { connectionString: url },
      reconnectDelayMs: 20,
      onError: () => undefined,
    });
    closers.push(notifications.close);

    // In its place: something that accepts, and closes without a word.
    const { port } = proxy;
    await proxy.close();
    let accepted = 0;
    let open = 0;
    let peakOpen = 0;
    const emptied = createServer((socket: Socket) => {
      accepted += 1;
      open += 1;
      peakOpen = Math.max(peakOpen, open);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open -= 1;
      });
      socket.resume().end();
    });
    emptied.listen(port, '127.0.0.1');
    await once(emptied, 'listening');
    expect((emptied.address() as AddressInfo).port).toBe(port);
    closers.push(() => emptied.close());
    while (accepted < 8) await once(emptied, 'connection');
    expect(peakOpen).toBe(1);
  });
});

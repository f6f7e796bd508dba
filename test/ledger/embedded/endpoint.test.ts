import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { loopbackEndpoint, socketEndpoint } from '../../../src/ledger/embedded/endpoint.ts';

describe('socketEndpoint', () => {
  it('is in the folder of the cluster, up to the longest path that a socket may have', () => {
    const longest = `/${'d'.repeat(103 - '//.s.PGSQL.5432'.length)}`;
    expect(socketEndpoint(longest, 'linux')).toEqual({ host: longest, port: 5432 });
    expect(socketEndpoint(`${longest}d`, 'linux')).toBeUndefined();
  });

  it('counts bytes, not characters', () => {
    expect(socketEndpoint(`/${'数'.repeat(40)}`, 'linux')).toBeUndefined();
  });

  it('is not used on Windows', () => {
    expect(socketEndpoint('C:\\data', 'win32')).toBeUndefined();
  });
});

describe('loopbackEndpoint', () => {
  it('is free, and below the ports of outgoing connections', async () => {
    const endpoint = await loopbackEndpoint();
    expect(endpoint.port).toBeLessThan(32_768);
    const server = createServer().listen(endpoint.port, endpoint.host);
    await once(server, 'listening');
    server.close();
  });
});

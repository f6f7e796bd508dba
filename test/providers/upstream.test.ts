import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { answering, startUpstream } from '../../src/testing/upstream.ts';

describe('the upstream of the tests', () => {
  it('serves any number of requests on one socket without a warning, and tells each when it is closed', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const upstream = await startUpstream(answering({ status: 200, body: Buffer.from('here') }));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        request(upstream.url, { agent }, (incoming) => {
          text(incoming).then(resolve, reject);
        })
          .on('error', reject)
          .end();
      });
    for (let round = 0; round < 15; round += 1) {
      expect(await ask()).toBe('here');
      expect(upstream.openSockets()).toBe(1);
    }
    agent.destroy();
    await Promise.all(upstream.requests.map(({ closed }) => closed));
    expect(upstream.requests).toHaveLength(15);
    await upstream.close();
    // They are told in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientsGateway, startClientsGateway } from '../../support/clients-gateway.ts';
import type { Bench } from './bench.ts';
import { describeCache } from './describe-cache.ts';
import { describeErrors } from './describe-errors.ts';
import { describeLists } from './describe-lists.ts';
import { describeSubscriptions } from './describe-subscriptions.ts';
import type { ClientDriver, Session } from './driver.ts';
import { MEMBERS } from './members.ts';
import { createNotingFetch } from './noting-fetch.ts';
import type { MemberName } from './operations.ts';

/**
 * Every case that a GraphQL client must pass against a running gateway. It starts one gateway for the client's file.
 *
 *     describeClient(urql);
 */
export function describeClient(driver: ClientDriver): void {
  describe(driver.name, () => {
    let gateway: ClientsGateway;
    const sessions: Session[] = [];
    const complaints: unknown[][] = [];
    beforeAll(async () => {
      gateway = await startClientsGateway();
      for (const method of ['warn', 'error'] as const) {
        vi.spyOn(console, method).mockImplementation((...told) => void complaints.push(told));
      }
    });
    afterEach(async () => {
      gateway.release();
      for (const session of sessions.splice(0)) await session.close();
    });
    afterAll(async () => {
      vi.restoreAllMocks();
      await gateway?.close();
    });

    const bench: Bench = {
      driver,
      get gateway() {
        return gateway;
      },
      async open(key) {
        const { fetch, sent } = createNotingFetch();
        const own = key === undefined ? await gateway.createKey() : (key ?? undefined);
        const session = await driver.open({ url: gateway.url, key: own, fetch });
        sessions.push(session);
        return { session, sent };
      },
    };

    describe('the members of GenerateImageResult', () => {
      it.each(Object.keys(MEMBERS) as MemberName[])('%s', async (name) => {
        const { session } = await bench.open();
        const { ask, has } = MEMBERS[name];
        const open = async (key: string) => (await bench.open(key)).session;
        const result = await ask({ gateway, session, open });
        expect(result.__typename).toBe(name);
        expect(result).toMatchObject(has);
      });

      it('by the interface of errors alone', async () => {
        const { session } = await bench.open();
        expect(await session.generateImageBriefly({ prompt: 'A picture against the policy' })).toMatchObject({
          __typename: 'ContentPolicyError',
          message: expect.stringMatching(/./),
          retryable: false,
        });
        expect(await session.generateImageBriefly({ prompt: 'A boat' })).toMatchObject({
          __typename: 'GenerateImageSuccess',
          image: { id: expect.stringMatching(/./) },
        });
      });
    });

    describeLists(bench);
    if (driver.cached) describeCache(bench);
    if (driver.transports.length > 0) describeSubscriptions(bench);
    describeErrors(bench);

    it('complains of nothing, in all of the above', () => {
      expect(complaints).toEqual([]);
    });
  });
}

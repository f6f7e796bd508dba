import { describe, expect, it } from 'vitest';
import { freshKey } from '../../support/gateway.ts';
import type { Bench } from './bench.ts';
import type { GenerationSeen } from './operations.ts';

export function describeSubscriptions(bench: Bench): void {
  const { driver, open } = bench;

  describe.each([...driver.transports])('generationUpdated by %s', (transport) => {
    it('tells how it is now, then every change, and ends with it', async () => {
      const { session } = await open();
      bench.gateway.hold();
      const prompt = `A glacier that takes its time, ${freshKey()}`;
      const pending = await session.generateImage({ prompt, waitSeconds: 0 });
      if (pending.__typename !== 'GenerationPending') throw new Error(`It answered ${pending.__typename}.`);
      await bench.gateway.arrived(prompt);

      const told: GenerationSeen[] = [];
      for await (const generation of session.subscribe?.(pending.generation.id, transport) ?? []) {
        told.push(generation);
        bench.gateway.release();
      }
      expect(new Set(told.map(({ status }) => status))).toEqual(new Set(['RUNNING', 'SUCCEEDED']));
      expect(told.at(-1)).toMatchObject({
        id: pending.generation.id,
        status: 'SUCCEEDED',
        image: { url: expect.any(String) },
      });
    });

    it('says that there is no such generation', async () => {
      const { session } = await open();
      const told = session.subscribe?.('nonsense', transport);
      const error: unknown = await told?.[Symbol.asyncIterator]()
        .next()
        .catch((reason: unknown) => reason);
      expect(session.errorOf(error)).toMatchObject({ code: 'NOT_FOUND' });
    });

    it('fails for a key that is not good', async () => {
      const { session } = await open('gesso_0000000000000000_wrong');
      const told = session.subscribe?.('nonsense', transport);
      await expect(told?.[Symbol.asyncIterator]().next()).rejects.toBeDefined();
    });
  });
}

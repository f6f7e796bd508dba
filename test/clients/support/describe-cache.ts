import { describe, expect, it } from 'vitest';
import { freshKey } from '../../support/gateway.ts';
import { type Bench, PATIENCE } from './bench.ts';
import type { Session, Transport } from './driver.ts';
import {
  PROVIDER_MODELS_QUERY,
  PROVIDER_STATUS_QUERY,
  VIEWER_NAME_QUERY,
  VIEWER_SCOPES_QUERY,
} from './operations.ts';

interface Pending {
  readonly id: string;
  readonly input: { readonly prompt: string; readonly idempotencyKey: string };
}

/** A way to learn of the end of a generation, other than by the query that is looked at. */
interface Way {
  readonly way: string;
  learn(session: Session, pending: Pending): Promise<void>;
}

const WAYS: readonly Way[] = [
  {
    way: 'the mutation, asked again with the same key',
    async learn(session, { input }) {
      expect((await session.generateImage(input)).__typename).toBe('GenerateImageSuccess');
    },
  },
  {
    way: 'a refetch by node',
    learn: (session, { id }) =>
      expect.poll(async () => (await session.refetch(id))?.status, PATIENCE).toBe('SUCCEEDED'),
  },
];

const bySubscription = (transport: Transport): Way => ({
  way: `a subscription by ${transport}`,
  async learn(session, { id }) {
    const statuses: string[] = [];
    for await (const { status } of session.subscribe?.(id, transport) ?? []) statuses.push(status);
    expect(statuses.at(-1)).toBe('SUCCEEDED');
  },
});

async function start(session: Session): Promise<Pending> {
  const input = { prompt: `A mountain that takes its time, ${freshKey()}`, idempotencyKey: freshKey() };
  const result = await session.generateImage({ ...input, waitSeconds: 0 });
  if (result.__typename !== 'GenerationPending') throw new Error(`It answered ${result.__typename}.`);
  return { id: result.generation.id, input };
}

/** For clients with a cache: what one operation learnt is shown by another, which asks nothing itself. */
export function describeCache(bench: Bench): void {
  const { driver, open } = bench;

  describe('the cache', () => {
    it.each([...WAYS, ...driver.transports.map(bySubscription)])(
      'shows in a view and in a list what came by $way',
      async ({ learn }) => {
        const { session, sent } = await open();
        bench.gateway.hold();
        const pending = await start(session);
        await bench.gateway.arrived(pending.input.prompt);
        const view = await session.watch?.(pending.id);
        const list = await session.list(2);
        expect(view?.now()).toMatchObject({ id: pending.id, status: 'RUNNING', image: null });
        expect(list.now()).toMatchObject([{ id: pending.id, status: 'RUNNING', image: null }]);

        const queries = () => sent.filter((name) => /^Generations?(List)?Query$/.test(name));
        const before = queries();
        expect(before).toHaveLength(2);
        bench.gateway.release();
        await learn(session, pending);
        const ended = { id: pending.id, status: 'SUCCEEDED', image: { url: expect.any(String) } };
        await expect.poll(() => view?.now(), PATIENCE).toMatchObject(ended);
        await expect.poll(() => list.now(), PATIENCE).toMatchObject([ended]);
        expect(queries()).toEqual(before);
        view?.close();
        list.close();
      },
    );

    it('keeps what two operations read of one thing that has no id', async () => {
      const { session, sent } = await open();
      const read = async () => [
        await session.query(VIEWER_NAME_QUERY, {}),
        await session.query(VIEWER_SCOPES_QUERY, {}),
        await session.query(PROVIDER_MODELS_QUERY, {}),
        await session.query(PROVIDER_STATUS_QUERY, {}),
      ];
      const first = await read();
      expect(first).toMatchObject([
        { viewer: { client: { name: expect.any(String) } } },
        { viewer: { scopes: ['images:generate'] } },
        { providers: [{ name: 'bettertoken', models: [expect.any(String)] }] },
        { providers: [{ name: 'bettertoken', status: expect.any(String) }] },
      ]);
      const before = [...sent];
      expect(await read()).toEqual(first);
      expect(sent).toEqual(before);
    });
  });
}

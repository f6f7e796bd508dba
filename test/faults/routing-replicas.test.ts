import { afterEach, describe, expect, it } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { startedId } from '../support/background.ts';
import { freshKey } from '../support/gateway.ts';
import {
  attemptsOf,
  type RoutedGateways,
  type RoutedGatewaysOptions,
  routedGeneration,
  startRoutedGateways,
} from '../support/routed-gateways.ts';
import { createSteppedPictures } from '../support/stepped-pictures.ts';

/** A busy machine takes its time. */
const PATIENT = { timeout: 30_000 };
const BUSY: Behaviour = { kind: 'status', status: 503 };

let routed: RoutedGateways | undefined;
afterEach(async () => {
  await routed?.close();
  routed = undefined;
});
async function start(options: Partial<RoutedGatewaysOptions> = {}): Promise<RoutedGateways> {
  const { environment, ...rest } = options;
  routed = await startRoutedGateways({
    providers: ['first', 'second'],
    replicas: 2,
    environment: { GESSO_RETRY_DELAYS_MS: '10', ...environment },
    ...rest,
  });
  return routed;
}
const allEnd = async ({ sql }: RoutedGateways) => {
  const open = () => sql('select 1 from generations where finished_at is null');
  await expect.poll(open, PATIENT).toEqual([]);
};

describe('two replicas', () => {
  it('hand generations over to each other, and each caller has its answer where it waits', async () => {
    const gateways = await start({ environment: { GESSO_CONCURRENCY: '3' } });
    gateways.upstream('first').behaveAlways(BUSY);
    const keys = Array.from({ length: 24 }, () => freshKey());
    const asking = keys.flatMap((idempotencyKey) =>
      gateways.gateways.map((gateway) => gateway.generateImage({ prompt: 'asked at both', idempotencyKey })),
    );
    const results = await Promise.all(asking);
    expect(new Set(results.map(({ __typename }) => __typename))).toEqual(new Set(['GenerateImageSuccess']));
    expect(new Set(results.map(({ image }) => image?.id)).size).toBe(keys.length);
    expect(gateways.calls()).toEqual({ first: 2 * keys.length, second: keys.length });
    expect(gateways.billed()).toEqual({ first: 0, second: keys.length });
  });

  it.each([
    ['one provider', 'first=3,second=2', {}],
    ['all of them', 'first=3,second=2', { GESSO_CALLS_AT_ONCE: '4' }],
  ])('hold the limits of %s while generations go from one to the other', async (_name, byProvider, more) => {
    const pictures = createSteppedPictures();
    const gateways = await start({
      pictures: pictures.paint,
      environment: { GESSO_PROVIDER_CALLS_AT_ONCE: byProvider, ...more },
    });
    const [first, second] = [gateways.upstream('first').journal, gateways.upstream('second').journal];
    gateways.upstream('first').behaveAlways({ ...BUSY, holdMs: 30 });
    const count = 16;
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        startedId(gateways.gateways[index % 2] ?? gateways.first, { prompt: 'limited' }),
      ),
    );
    for (let drawn = 0; drawn < count; drawn++) {
      await expect.poll(() => pictures.open.length, PATIENT).toBeGreaterThan(0);
      pictures.finishOne();
    }
    await allEnd(gateways);
    expect(gateways.calls()).toEqual({ first: 2 * count, second: count });
    expect(first.peakOpen).toBeLessThanOrEqual(3);
    expect(second.peakOpen).toBeLessThanOrEqual(2);
    const statuses = await gateways.sql<{ status: string }>('select distinct status from generations');
    expect(statuses).toEqual([{ status: 'SUCCEEDED' }]);
  });
});

describe('a replica that stops while a generation waits for its next attempt', () => {
  it.each([
    ['goes on there, where it recovers', [BUSY], ['first NOT_ACCEPTED', 'first SUCCEEDED']],
    [
      'goes on at the next, once its attempts are used up',
      [BUSY, BUSY],
      ['first NOT_ACCEPTED', 'first NOT_ACCEPTED', 'second SUCCEEDED'],
    ],
  ])('leaves it to the provider that it has: it %s', async (_what, behaviours, attempts) => {
    const gateways = await start({ replicas: 1, environment: { GESSO_RETRY_DELAYS_MS: '60000' } });
    gateways.upstream('first').behave(...behaviours);
    const id = await startedId(gateways.first, { prompt: 'handed over', delivery: 'AT_MOST_ONCE' });
    const refused = () => gateways.sql(`select 1 from attempts where outcome = 'NOT_ACCEPTED'`);
    await expect.poll(refused, PATIENT).toHaveLength(1);
    await gateways.first.restart();
    await allEnd(gateways);
    expect(attemptsOf(await routedGeneration(gateways.first, id))).toEqual(attempts);
  });
});

describe('a replica that stops during the last attempt at a provider', () => {
  it.each([
    ['AT_LEAST_ONCE', 'SUCCEEDED', ['first UNKNOWN', 'second SUCCEEDED']],
    ['AT_MOST_ONCE', 'UNKNOWN', ['first UNKNOWN']],
  ])('leaves it to its guarantee, %s: %s', async (delivery, status, attempts) => {
    const gateways = await start({
      replicas: 1,
      environment: { GESSO_RETRY_DELAYS_MS: 'none', GESSO_DRAIN_MS: '100', GESSO_BREAKER_FAILURES: '1' },
    });
    const first = gateways.upstream('first');
    first.behave({ kind: 'hang', at: 'before-accept' });
    const id = await startedId(gateways.first, { prompt: 'cut', delivery });
    await first.journal.waitFor(1);
    await gateways.first.restart();
    await allEnd(gateways);
    const generation = await routedGeneration(gateways.first, id);
    expect(generation.status).toBe(status);
    expect(attemptsOf(generation)).toEqual(attempts);
    // The life that found the attempts used up made no call, and blames nobody.
    const { providers } = await gateways.first.query<{ providers: object[] }>(
      '{ providers { name circuit } }',
    );
    expect(providers).toContainEqual({ name: 'first', circuit: 'CLOSED' });
  });
});

describe('a draw by weight', () => {
  it('sends generations to each provider, and falls back like any other', async () => {
    const gateways = await start({ replicas: 1, route: 'first=1,second=1' });
    gateways.upstream('first').behaveAlways(BUSY);
    const results = await Promise.all(
      Array.from({ length: 20 }, () => gateways.first.generateImage({ prompt: 'drawn' })),
    );
    expect(new Set(results.map(({ __typename }) => __typename))).toEqual(new Set(['GenerateImageSuccess']));
    expect(gateways.billed()).toEqual({ first: 0, second: 20 });
    const generations = await Promise.all(
      results.map(({ generation }) => routedGeneration(gateways.first, generation?.id)),
    );
    for (const { route, attempts } of generations) {
      expect(route.toSorted()).toEqual(['first', 'second']);
      expect(attempts[0]?.provider).toBe(route[0]);
    }
  });
});

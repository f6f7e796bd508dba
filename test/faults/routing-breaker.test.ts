import { afterEach, describe, expect, it } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { startedId } from '../support/background.ts';
import { freshKey, startTestGateway } from '../support/gateway.ts';
import {
  attemptsOf,
  type RoutedGateways,
  routedGeneration,
  startRoutedGateways,
} from '../support/routed-gateways.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

/** A busy machine takes its time. */
const PATIENT = { timeout: 20_000 };
const OPEN_MS = 3_600_000;
const BUSY: Behaviour = { kind: 'status', status: 503 };

let routed: RoutedGateways | undefined;
afterEach(async () => {
  await routed?.close();
  routed = undefined;
});
/** Two providers, whose circuits open with the second generation that fails in a row, for an hour of the test's clock. */
async function start(environment: Readonly<Record<string, string>> = {}) {
  const clock: TestClock = createTestClock();
  routed = await startRoutedGateways({
    providers: ['first', 'second'],
    clock,
    environment: {
      GESSO_RETRY_DELAYS_MS: '10',
      GESSO_DEADLINE_MS: String(2 * OPEN_MS),
      GESSO_BREAKER_FAILURES: '2',
      GESSO_BREAKER_OPEN_MS: String(OPEN_MS),
      ...environment,
    },
  });
  return { ...routed, gateway: routed.first, clock };
}

const circuitsOf = async ({ first }: Pick<RoutedGateways, 'first'>) => {
  const { providers } = await first.query<{ providers: { name: string; circuit: string }[] }>(
    '{ providers { name circuit } }',
  );
  return Object.fromEntries(providers.map(({ name, circuit }) => [name, circuit]));
};

describe('the circuit of a provider', () => {
  it('opens, is skipped, lets one generation try, and closes', async () => {
    const gateways = await start();
    const { gateway, clock } = gateways;
    const drawn = async (prompt: string) => {
      const result = await gateway.generateImage({ prompt });
      expect(result.__typename).toBe('GenerateImageSuccess');
      const generation = await routedGeneration(gateway, result.generation?.id);
      return { route: generation.route, attempts: attemptsOf(generation) };
    };
    const failedThere = ['first NOT_ACCEPTED', 'first NOT_ACCEPTED', 'second SUCCEEDED'];
    gateways.upstream('first').behaveAlways(BUSY);
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'CLOSED', second: 'CLOSED' });
    for (const prompt of ['one', 'two']) {
      expect(await drawn(prompt)).toEqual({ route: ['first', 'second'], attempts: failedThere });
    }
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'OPEN', second: 'CLOSED' });

    expect(await drawn('three')).toEqual({ route: ['second', 'first'], attempts: ['second SUCCEEDED'] });

    clock.jump(OPEN_MS);
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'HALF_OPEN' });
    expect(await drawn('four')).toEqual({ route: ['first', 'second'], attempts: failedThere });
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'OPEN' });

    clock.jump(OPEN_MS);
    gateways.upstream('first').behaveAlways(undefined);
    expect(await drawn('five')).toEqual({ route: ['first', 'second'], attempts: ['first SUCCEEDED'] });
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'CLOSED' });
    expect(gateways.calls()).toEqual({ first: 7, second: 4 });
  });

  it.each(['AT_LEAST_ONCE', 'AT_MOST_ONCE'])(
    'where it is open and nobody else is asked: no attempt, a time to come back, and a free key, %s',
    async (delivery) => {
      const gateways = await start();
      const { gateway } = gateways;
      gateways.upstream('second').behaveAlways(BUSY);
      for (const prompt of ['one', 'two']) await gateway.generateImage({ prompt, provider: 'second' });
      const input = { prompt: 'three', provider: 'second', delivery, idempotencyKey: freshKey() };
      const client = await gateway.createClient('with a quota', ['images:generate'], 1);
      for (let time = 0; time < 2; time++) {
        const result = await client.generateImage(input);
        expect(result).toMatchObject({
          __typename: 'ProviderUnavailableError',
          retryable: true,
          generation: { attempts: [], failure: { code: 'PROVIDER_UNAVAILABLE' } },
        });
        expect(result.retryAfterSeconds).toBeGreaterThan(OPEN_MS / 1_000 - 600);
        expect(result.retryAfterSeconds).toBeLessThanOrEqual(OPEN_MS / 1_000);
      }
      expect(gateways.calls('three')).toEqual({ first: 0, second: 0 });
      // Nothing was taken from the quota of the day.
      expect((await client.generateImage({ ...input, provider: 'first' })).__typename).toBe(
        'GenerateImageSuccess',
      );
    },
  );

  it('that opens while generations wait for the provider sends these to the next, without an attempt', async () => {
    const gateways = await start({ GESSO_PROVIDER_CALLS_AT_ONCE: 'first=1' });
    const { gateway } = gateways;
    gateways.upstream('first').behaveAlways(BUSY);
    const prompts = ['a', 'b', 'c', 'd', 'e'];
    const ids = await Promise.all(prompts.map((prompt) => startedId(gateway, { prompt })));
    const open = () => gateways.sql('select 1 from generations where finished_at is null');
    await expect.poll(open, PATIENT).toEqual([]);
    const generations = await Promise.all(ids.map((id) => routedGeneration(gateway, id)));
    expect(new Set(generations.map(({ status }) => status))).toEqual(new Set(['SUCCEEDED']));
    expect(new Set(generations.map(({ provider }) => provider))).toEqual(new Set(['second']));
    expect(gateways.calls()).toEqual({ first: 4, second: 5 });
    expect(generations.filter(({ attempts }) => attempts.length === 1)).toHaveLength(3);
  });

  it('of all of them open: the answer is that of the last, and no call is made', async () => {
    const gateways = await start();
    const { gateway } = gateways;
    for (const name of ['first', 'second']) gateways.upstream(name).behaveAlways(BUSY);
    for (const prompt of ['one', 'two']) await gateway.generateImage({ prompt });
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'OPEN', second: 'OPEN' });
    const result = await gateway.generateImage({ prompt: 'three' });
    expect(result).toMatchObject({ __typename: 'ProviderUnavailableError', generation: { attempts: [] } });
    expect(gateways.calls('three')).toEqual({ first: 0, second: 0 });
  });

  it('is not opened by prompts that are refused, nor by calls that are canceled', async () => {
    const gateways = await start();
    const { gateway } = gateways;
    gateways.upstream('first').behaveAlways({ kind: 'status', status: 400 });
    for (const prompt of ['one', 'two', 'three']) await gateway.generateImage({ prompt });
    gateways.upstream('first').behaveAlways({ kind: 'hang', at: 'before-headers' });
    for (const prompt of ['four', 'five', 'six']) {
      const id = await startedId(gateway, { prompt });
      await gateways.upstream('first').journal.waitFor(1, { where: (call) => call.prompt === prompt });
      await gateway.query('mutation ($id: ID!) { cancelGeneration(input: { id: $id }) { __typename } }', {
        id,
      });
      const left = () =>
        gateways.upstream('first').journal.calls((call) => call.prompt === prompt && call.clientLeft);
      await expect.poll(left, PATIENT).toHaveLength(1);
    }
    expect(await circuitsOf(gateways)).toMatchObject({ first: 'CLOSED' });
  });
});

describe('a provider that has nobody beside it', () => {
  it('is asked however often it fails, unless the operator says otherwise', async () => {
    for (const [environment, calls] of [
      [{}, 8],
      [{ GESSO_BREAKER_FAILURES: '3' }, 3],
    ] as const) {
      const gateway = await startTestGateway({
        environment: { GESSO_RETRY_DELAYS_MS: 'none', ...environment },
      });
      try {
        gateway.sandbox.behaveAlways(BUSY);
        for (let asked = 0; asked < 8; asked++) await gateway.generateImage({ prompt: `${asked}` });
        expect(gateway.sandbox.journal.calls()).toHaveLength(calls);
      } finally {
        await gateway.close();
      }
    }
  });

  it.each([
    ['there is no route', { GESSO_ROUTE: '' }, { first: 8, second: 0 }],
    ['the route is its own', { GESSO_ROUTE: 'second' }, { first: 0, second: 8 }],
  ])(
    'is asked however often it fails, with others that nobody routes to: %s',
    async (_what, environment, calls) => {
      const gateways = await startRoutedGateways({
        providers: ['first', 'second'],
        environment: { GESSO_RETRY_DELAYS_MS: 'none', GESSO_BREAKER_FAILURES: '', ...environment },
      });
      try {
        for (const name of ['first', 'second']) gateways.upstream(name).behaveAlways(BUSY);
        for (let asked = 0; asked < 8; asked++) await gateways.first.generateImage({ prompt: `${asked}` });
        expect(gateways.calls()).toEqual(calls);
      } finally {
        await gateways.close();
      }
    },
  );

  it('has its circuit among five failures where there is another one, by default', async () => {
    const gateways = await startRoutedGateways({
      providers: ['first', 'second'],
      environment: { GESSO_RETRY_DELAYS_MS: 'none', GESSO_BREAKER_FAILURES: '' },
    });
    try {
      gateways.upstream('first').behaveAlways(BUSY);
      for (let asked = 0; asked < 8; asked++) await gateways.first.generateImage({ prompt: `${asked}` });
      expect(gateways.calls()).toEqual({ first: 5, second: 8 });
    } finally {
      await gateways.close();
    }
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { cancelGeneration, startedId } from '../support/background.ts';
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
const PATIENT = { timeout: 20_000 };

let routed: RoutedGateways | undefined;
afterEach(async () => {
  await routed?.close();
  routed = undefined;
});
async function start(options: Partial<RoutedGatewaysOptions> = {}): Promise<RoutedGateways> {
  const { environment, ...rest } = options;
  routed = await startRoutedGateways({
    providers: ['first', 'second', 'third'],
    environment: { GESSO_RETRY_DELAYS_MS: '10', ...environment },
    ...rest,
  });
  return routed;
}

const answers = (status: number, more: object = {}): Behaviour => ({ kind: 'status', status, ...more });
const always = ({ upstream }: RoutedGateways, behaviours: Readonly<Record<string, Behaviour>>): void => {
  for (const [name, behaviour] of Object.entries(behaviours)) upstream(name).behaveAlways(behaviour);
};

describe('a route that ends without a picture', () => {
  it('ends as its last provider says, with every attempt on record', async () => {
    const gateways = await start();
    always(gateways, {
      first: answers(503),
      second: answers(401),
      third: answers(429, { headers: { 'retry-after': '7200' }, code: 'slow_down' }),
    });
    const input = { prompt: 'nobody draws it', idempotencyKey: freshKey() };
    const result = await gateways.first.generateImage(input);
    expect(result).toMatchObject({
      __typename: 'ProviderUnavailableError',
      retryable: true,
      retryAfterSeconds: 7200,
    });
    const generation = await routedGeneration(gateways.first, result.generation?.id);
    expect(generation).toMatchObject({
      status: 'FAILED',
      provider: 'third',
      failure: { code: 'PROVIDER_UNAVAILABLE' },
    });
    expect(attemptsOf(generation)).toEqual([
      'first NOT_ACCEPTED',
      'first NOT_ACCEPTED',
      'second REJECTED',
      'third NOT_ACCEPTED',
    ]);
    // Its key is free: the next request is a new generation.
    always(gateways, { first: { kind: 'normal' } });
    expect(await gateways.first.generateImage(input)).toMatchObject({
      __typename: 'GenerateImageSuccess',
      replayed: false,
    });
  });

  it('stops where the prompt is refused, and asks nobody else', async () => {
    const gateways = await start();
    always(gateways, { first: answers(503), second: answers(400, { code: 'content_policy_violation' }) });
    const result = await gateways.first.generateImage({ prompt: 'refused by the second' });
    expect(result.__typename).toBe('ContentPolicyError');
    expect(gateways.calls()).toEqual({ first: 2, second: 1, third: 0 });
  });

  it('ends UNKNOWN where a call AT_MOST_ONCE may have been accepted, also at the second', async () => {
    const gateways = await start();
    always(gateways, { first: answers(503), second: { kind: 'reset', at: 'before-headers' } });
    const input = { prompt: 'sent', delivery: 'AT_MOST_ONCE', idempotencyKey: freshKey() };
    const result = await gateways.first.generateImage(input);
    expect(result.__typename).toBe('OutcomeUnknownError');
    expect(await gateways.first.generateImage(input)).toEqual(result);
    expect(gateways.billed()).toEqual({ first: 0, second: 1, third: 0 });
  });

  it('gives back the quota of the day where nobody may have billed, and keeps it where somebody may', async () => {
    const gateways = await start();
    const client = await gateways.first.createClient('with a quota', ['images:generate'], 2);
    always(gateways, { first: answers(503), second: answers(503), third: answers(503) });
    for (const prompt of ['one', 'two', 'three']) {
      expect((await client.generateImage({ prompt })).__typename).toBe('ProviderUnavailableError');
    }
    always(gateways, { first: answers(500), second: answers(503), third: answers(503) });
    for (const prompt of ['four', 'five']) {
      expect((await client.generateImage({ prompt })).__typename).toBe('ProviderUnavailableError');
    }
    expect((await client.generateImage({ prompt: 'six' })).__typename).toBe('QuotaExceededError');
  });
});

describe('a request that names its provider', () => {
  it('goes to that one alone', async () => {
    const gateways = await start();
    always(gateways, { second: answers(503) });
    const result = await gateways.first.generateImage({ prompt: 'by name', provider: 'second' });
    expect(result.__typename).toBe('ProviderUnavailableError');
    expect(gateways.calls()).toEqual({ first: 0, second: 2, third: 0 });
    const generation = await routedGeneration(gateways.first, result.generation?.id);
    expect(generation.route).toEqual(['second']);
  });
});

describe('the one deadline', () => {
  it('ends a generation at the provider where it is met, and the next is not asked', async () => {
    const gateways = await start({ environment: { GESSO_DEADLINE_MS: '3000' } });
    always(gateways, { first: { kind: 'hang', at: 'before-accept' } });
    const result = await gateways.first.generateImage({ prompt: 'hangs' });
    expect(result).toMatchObject({
      __typename: 'ProviderUnavailableError',
      generation: { failure: { code: 'DEADLINE_EXCEEDED' } },
    });
    expect(gateways.calls()).toEqual({ first: 1, second: 0, third: 0 });
  });

  it('is that of the whole route: the next provider has what is left of it', async () => {
    const gateways = await start({ environment: { GESSO_DEADLINE_MS: '5000' } });
    always(gateways, { first: answers(503), second: { kind: 'hang', at: 'before-accept' } });
    const result = await gateways.first.generateImage({ prompt: 'hangs at the second' });
    expect(result.generation?.failure?.code).toBe('DEADLINE_EXCEEDED');
    const [row] = await gateways.sql<{ kept: boolean }>(
      `select deadline_at - started_at = interval '5 s' as kept
      from generations where id = any(select generation_id from attempts)`,
    );
    expect(row).toEqual({ kept: true });
    expect(gateways.calls()).toEqual({ first: 2, second: 1, third: 0 });
  });
});

describe('a key, while its generation goes from one provider to the next', () => {
  it('is joined by whoever asks with it, conflicts with another intent, and is replayed', async () => {
    const pictures = createSteppedPictures();
    const gateways = await start({ pictures: pictures.paint });
    always(gateways, { first: answers(503) });
    const input = { prompt: 'asked often', idempotencyKey: freshKey() };
    const asking = Array.from({ length: 20 }, () => gateways.first.generateImage(input));
    await expect.poll(() => pictures.open, PATIENT).toEqual(['asked often']);
    const late = gateways.first.generateImage(input);
    const other = await gateways.first.generateImage({ ...input, prompt: 'another' });
    expect(other.__typename).toBe('IdempotencyConflictError');
    pictures.finishAll();
    const results = await Promise.all([...asking, late, gateways.first.generateImage(input)]);
    expect(new Set(results.map(({ __typename }) => __typename))).toEqual(new Set(['GenerateImageSuccess']));
    expect(new Set(results.map(({ image }) => image?.id)).size).toBe(1);
    expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(1);
    expect(gateways.calls()).toEqual({ first: 2, second: 1, third: 0 });
  });
});

describe('a cancel', () => {
  it('ends a generation that was handed over, wherever it waits, and nobody is asked any more', async () => {
    const pictures = createSteppedPictures();
    const gateways = await start({
      pictures: pictures.paint,
      environment: { GESSO_PROVIDER_CALLS_AT_ONCE: 'second=1' },
    });
    always(gateways, { first: answers(503) });
    const { first: gateway } = gateways;
    await startedId(gateway, { prompt: 'takes the place' });
    await expect.poll(() => pictures.open, PATIENT).toEqual(['takes the place']);
    const id = await startedId(gateway, { prompt: 'waits at the second' });
    await expect
      .poll(async () => routedGeneration(gateway, id), PATIENT)
      .toMatchObject({
        status: 'QUEUED',
        provider: 'second',
      });
    expect(await cancelGeneration(gateway, id)).toMatchObject({
      __typename: 'CancelGenerationSuccess',
      mayBeBilled: false,
    });
    pictures.finishAll();
    const open = () => gateways.sql('select 1 from generations where finished_at is null');
    await expect.poll(open, PATIENT).toEqual([]);
    expect(gateways.calls('waits at')).toEqual({ first: 2, second: 0, third: 0 });
    expect(await routedGeneration(gateway, id)).toMatchObject({ status: 'CANCELED' });
  });

  it('during a call of the second provider ends that call, which may be billed', async () => {
    const pictures = createSteppedPictures();
    const gateways = await start({ pictures: pictures.paint });
    always(gateways, { first: answers(401) });
    const id = await startedId(gateways.first, { prompt: 'canceled there' });
    await expect.poll(() => pictures.open, PATIENT).toEqual(['canceled there']);
    expect(await cancelGeneration(gateways.first, id)).toMatchObject({ mayBeBilled: true });
    const { journal } = gateways.upstream('second');
    await expect.poll(() => journal.calls().map(({ clientLeft }) => clientLeft), PATIENT).toEqual([true]);
    pictures.finishAll();
    expect(attemptsOf(await routedGeneration(gateways.first, id))).toEqual([
      'first REJECTED',
      'second UNKNOWN',
    ]);
    expect(gateways.calls()).toEqual({ first: 1, second: 1, third: 0 });
  });
});

describe('the audit trail and those who watch', () => {
  it('are told of the way that it took', async () => {
    const gateways = await start();
    always(gateways, { first: answers(503, { code: 'overloaded' }), second: answers(401) });
    const { generation } = await gateways.first.generateImage({ prompt: 'on its way' });
    const { auditEvents } = await gateways.first.query<{
      auditEvents: { edges: { node: { action: string; message: string | null } }[] };
    }>(
      `query ($id: ID!) { auditEvents(filter: { generationId: $id, actions: [GENERATION_REROUTED] }) {
        edges { node { action message } }
      } }`,
      { id: generation?.id },
    );
    expect(auditEvents.edges.map(({ node }) => node.message).toSorted()).toEqual([
      'From first to second: NOT_ACCEPTED, HTTP 503, overloaded.',
      'From second to third: REJECTED, HTTP 401.',
    ]);
  });
});

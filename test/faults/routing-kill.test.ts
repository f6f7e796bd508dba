import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Behaviour, type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/process.ts';
import { attemptsOf, routedGeneration } from '../support/routed-gateways.ts';

const UPSTREAM_KEY = 'sk-upstream-of-the-routing-tests';
/** A busy machine takes its time. */
const PATIENT = { timeout: 20_000 };
/** An advisory lock of the test's own, at which a replica is held up. */
const GATE = 4_711;

const pictures = createHeldPictures();
let first: Sandbox;
let second: Sandbox;
let gateway: GatewayProcess;
beforeAll(async () => {
  first = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: 'plain' });
  second = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: pictures.paint });
  gateway = await startGatewayProcess({
    upstreamUrl: first.baseUrl,
    upstreamKey: UPSTREAM_KEY,
    script: fileURLToPath(new URL('../support/routed-gateway-main.ts', import.meta.url)),
    environment: {
      TEST_UPSTREAMS: JSON.stringify({ first: first.baseUrl, second: second.baseUrl }),
      GESSO_ROUTE: 'first,second',
      GESSO_RETRY_DELAYS_MS: '10',
      GESSO_BREAKER_FAILURES: '0',
    },
  });
});
afterEach(() => {
  pictures.release();
  first.behaveAlways(undefined);
});
afterAll(async () => {
  await gateway?.close();
  await first?.close();
  await second?.close();
});

const answers = (status: number): Behaviour => ({ kind: 'status', status });
const callsAt = ({ journal }: Sandbox, prompt: string) =>
  journal.calls((call) => call.prompt === prompt).length;

const bothGuarantees = (prompt: string) =>
  ['AT_MOST_ONCE', 'AT_LEAST_ONCE'].map((delivery) => ({
    prompt: `${prompt}, ${delivery}`,
    idempotencyKey: `${prompt}, ${delivery}`,
    delivery,
  }));
type Input = ReturnType<typeof bothGuarantees>[number];

/** Asks, and leaves: nobody is there when the gateway is killed. */
const begin = (input: Input) =>
  gateway.send('mutation ($input: GenerateImageInput!) { generateImage(input: $input) { __typename } }', {
    input: { ...input, waitSeconds: 0 },
  });
const rowsOf = (inputs: readonly Input[]) =>
  gateway.sql<{ status: string; provider: string }>(
    'select status, provider from generations where prompt = any($1) order by prompt',
    [inputs.map(({ prompt }) => prompt)],
  );

/** Holds up whoever does this to a table, until the server that it waits in is stopped by the next start. */
async function holdUp(table: string, event: string, when: string) {
  await gateway.sql(
    `create function held_up() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(${GATE}); return new; end $$`,
  );
  await gateway.sql(
    `create trigger held_up before ${event} on ${table} for each row when (${when}) execute function held_up()`,
  );
  const [holder, watcher] = [await gateway.connect(), await gateway.connect()];
  await holder.query('select pg_advisory_lock($1)', [GATE]);
  return {
    untilWaiting: (count: number) =>
      expect
        .poll(
          async () =>
            (
              await watcher.query(
                `select 1 from pg_locks where locktype = 'advisory' and objid = $1 and not granted`,
                [GATE],
              )
            ).rowCount,
          PATIENT,
        )
        .toBeGreaterThanOrEqual(count),
    /** Of the dead gateway; else its statement would still be carried out when the lock goes with the server. */
    async endThoseWhoWait() {
      // With a limit, the statement resolves once they are gone.
      await watcher.query(
        `select pg_terminate_backend(pid, 5000) from pg_locks
        where locktype = 'advisory' and objid = $1 and not granted`,
        [GATE],
      );
    },
    async end() {
      await Promise.allSettled([holder.end(), watcher.end()]);
      await gateway.sql('drop function held_up cascade');
    },
  };
}

async function kill(): Promise<void> {
  expect(await gateway.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
}

/** The generation drew its picture at the second, and nothing was asked for twice. */
async function expectDrawnOnce(input: Input, atFirst: readonly string[]): Promise<void> {
  const result = await gateway.generateImage(input);
  expect(result).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
  const generation = await routedGeneration(gateway, result.generation?.id);
  expect(attemptsOf(generation)).toEqual([...atFirst, 'second SUCCEEDED']);
  expect([callsAt(first, input.prompt), callsAt(second, input.prompt)]).toEqual([atFirst.length, 1]);
}

describe('kill -9 after the first provider was given up, before the generation is handed over', () => {
  it.each([
    ['attempts that are used up', answers(503), ['first NOT_ACCEPTED', 'first NOT_ACCEPTED']],
    ["the operator's mistake", answers(401), ['first REJECTED']],
  ])('with %s: handed over after the restart, and the first is not asked again', async (what, does, made) => {
    first.behaveAlways(does);
    const inputs = bothGuarantees(`given up: ${what}`);
    const hold = await holdUp('gesso_queue.job', 'update', 'new.name <> old.name');
    for (const input of inputs) await begin(input);
    await hold.untilWaiting(1);
    await expect
      .poll(() => inputs.map(({ prompt }) => callsAt(first, prompt)), PATIENT)
      .toEqual(inputs.map(() => made.length));
    const recorded = () =>
      gateway.sql(
        `select 1 from attempts a join generations g on g.id = a.generation_id
        where g.prompt = any($1) and a.outcome <> 'PENDING'`,
        [inputs.map(({ prompt }) => prompt)],
      );
    await expect.poll(recorded, PATIENT).toHaveLength(inputs.length * made.length);
    expect(await rowsOf(inputs)).toEqual(inputs.map(() => ({ status: 'RUNNING', provider: 'first' })));
    await kill();
    await hold.endThoseWhoWait();
    await gateway.restart();
    await hold.end();
    for (const input of inputs) await expectDrawnOnce(input, made);
  });
});

describe('kill -9 after the generation was handed over', () => {
  const twice = ['first NOT_ACCEPTED', 'first NOT_ACCEPTED'];

  it('before anybody takes it: it goes on at the second', async () => {
    first.behaveAlways(answers(503));
    const inputs = bothGuarantees('handed over, not taken');
    // What is handed over is not to be taken yet.
    await gateway.sql(`create function later() returns trigger language plpgsql as
      $$ begin new.start_after = now() + interval '1 hour'; return new; end $$`);
    await gateway.sql(`create trigger later before update on gesso_queue.job for each row
      when (new.name <> old.name) execute function later()`);
    for (const input of inputs) await begin(input);
    const handedOver = inputs.map(() => ({ status: 'QUEUED', provider: 'second' }));
    await expect.poll(() => rowsOf(inputs), PATIENT).toEqual(handedOver);
    await kill();
    await gateway.restart();
    await gateway.sql('drop function later cascade');
    await gateway.sql(`update gesso_queue.job set start_after = now() where state < 'completed'`);
    for (const input of inputs) await expectDrawnOnce(input, twice);
  });

  it.each(bothGuarantees('taken by the second, not sent'))(
    'before the call of the second is on record: it is called once, $delivery',
    async (input) => {
      first.behaveAlways(answers(503));
      const hold = await holdUp('attempts', 'insert', `new.provider = 'second'`);
      await begin(input);
      await hold.untilWaiting(1);
      expect(await rowsOf([input])).toEqual([{ status: 'RUNNING', provider: 'second' }]);
      await kill();
      await hold.endThoseWhoWait();
      await gateway.restart();
      await hold.end();
      await expectDrawnOnce(input, twice);
    },
  );

  it('during the call of the second: it goes by its guarantee, and the first is not asked again', async () => {
    first.behaveAlways(answers(503));
    const inputs = bothGuarantees('sent to the second');
    pictures.hold('sent to the second');
    for (const input of inputs) await begin(input);
    await second.journal.waitFor(inputs.length, {
      where: ({ prompt }) => prompt?.includes('sent to the second') === true,
      timeoutMs: PATIENT.timeout,
    });
    await kill();
    pictures.release();
    await gateway.restart();
    const [atMostOnce, atLeastOnce] = await Promise.all(inputs.map((input) => gateway.generateImage(input)));
    expect(atMostOnce?.__typename).toBe('OutcomeUnknownError');
    expect(atLeastOnce).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(attemptsOf(await routedGeneration(gateway, atMostOnce?.generation?.id))).toEqual([
      ...twice,
      'second UNKNOWN',
    ]);
    expect(attemptsOf(await routedGeneration(gateway, atLeastOnce?.generation?.id))).toEqual([
      ...twice,
      'second UNKNOWN',
      'second SUCCEEDED',
    ]);
    expect(inputs.map(({ prompt }) => [callsAt(first, prompt), callsAt(second, prompt)])).toEqual([
      [2, 1],
      [2, 2],
    ]);
  });
});

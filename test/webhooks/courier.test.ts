import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Delivery, Settlement } from '../../src/ledger/webhook-jobs.ts';
import { makeGeneration } from '../../src/testing/made-up.ts';
import { createCourier } from '../../src/webhooks/courier.ts';
import type { SendOutcome, SendWebhook } from '../../src/webhooks/sender.ts';
import { MAX_TRIES } from '../../src/webhooks/verdict.ts';

const ANSWERED: SendOutcome = { kind: 'answered', httpStatus: 200, retryAfterSeconds: undefined };
const REFUSED: SendOutcome = { kind: 'unanswered', reason: 'could not be reached (ECONNREFUSED)' };

let made = 0;
function makeDelivery(changes: Partial<Delivery> & { clientId?: string } = {}): Delivery {
  const { clientId = 'client-1', ...rest } = changes;
  made += 1;
  return {
    job: { id: `job-${made}`, retryCount: 0 },
    webhookId: `webhook-${made}`,
    url: 'https://hooks.example.com/path?token=1',
    tryNumber: 1,
    cutOffTries: 0,
    requestId: 'request-1',
    generation: makeGeneration({ clientId }),
    image: undefined,
    ...rest,
  };
}

/** A queue in memory. */
function createQueue(...waiting: Delivery[]) {
  const settled = new Map<string, Settlement>();
  return {
    waiting,
    settled,
    async take(limit: number, exceptClientIds: readonly string[]): Promise<Delivery[]> {
      const due = waiting.filter(({ generation }) => !exceptClientIds.includes(generation.clientId));
      return due.slice(0, limit).map((delivery) => {
        waiting.splice(waiting.indexOf(delivery), 1);
        return delivery;
      });
    },
    async settle(delivery: Delivery, settlement: Settlement): Promise<void> {
      settled.set(delivery.webhookId, settlement);
    },
  };
}

/** Receivers whose answers are held back until the test says so. */
function holdAnswers() {
  const held: { url: string; answer: (outcome: SendOutcome) => void }[] = [];
  const send: SendWebhook = (url, _message, signal) =>
    new Promise((resolve) => {
      held.push({ url, answer: resolve });
      signal?.addEventListener('abort', () =>
        resolve({ kind: 'unanswered', reason: 'was cut off: the gateway stopped' }),
      );
    });
  return { held, send };
}

const running: { drain(drainMs: number): Promise<void> }[] = [];
afterEach(async () => {
  for (const courier of running.splice(0)) await courier.drain(0);
});

function startCourier(
  jobs: Parameters<typeof createCourier>[0]['jobs'],
  send: SendWebhook,
  changes: Partial<Parameters<typeof createCourier>[0]> = {},
) {
  const courier = createCourier({
    jobs,
    send,
    hosts: ['hooks.example.com'],
    secretOf: (clientId) => `secret of ${clientId}`,
    bodyOf: ({ generation }) => `body of ${generation.clientId}`,
    verdicts: { random: () => 0 },
    clock: systemClock,
    onError: (error) => expect.fail(String(error)),
    pollMs: 20,
    ...changes,
  });
  running.push(courier);
  courier.start();
  return courier;
}

describe('the courier', () => {
  it('sends each client’s message with its own secret, under the webhook’s id', async () => {
    const [first, second] = [makeDelivery(), makeDelivery({ clientId: 'client-2' })];
    const queue = createQueue(first, second);
    const sent: unknown[] = [];
    startCourier(queue, async (url, message) => {
      sent.push({ url, ...message });
      return ANSWERED;
    });
    await vi.waitFor(() => expect(queue.settled.size).toBe(2));
    expect(sent).toEqual([
      { url: first.url, id: first.webhookId, secret: 'secret of client-1', body: 'body of client-1' },
      { url: second.url, id: second.webhookId, secret: 'secret of client-2', body: 'body of client-2' },
    ]);
    expect(queue.settled.get(first.webhookId)).toEqual({
      lines: [{ action: 'WEBHOOK_DELIVERED', message: 'hooks.example.com answered HTTP 200, try 1.' }],
      next: undefined,
    });
  });

  it('asks for another try of what failed', async () => {
    const delivery = makeDelivery({ tryNumber: 3 });
    const queue = createQueue(delivery);
    startCourier(queue, async () => REFUSED);
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
    expect(queue.settled.get(delivery.webhookId)).toEqual({
      lines: [
        {
          action: 'WEBHOOK_FAILED',
          message: 'hooks.example.com could not be reached (ECONNREFUSED), try 3; tried again in about 45 s.',
        },
      ],
      next: { tryNumber: 4, delaySeconds: 45 },
    });
  });

  it('puts tries on record that were cut off with their replica, and counts them', async () => {
    const delivery = makeDelivery({ tryNumber: 2, cutOffTries: 2 });
    const queue = createQueue(delivery);
    startCourier(queue, async () => REFUSED);
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
    const { lines, next } = queue.settled.get(delivery.webhookId) ?? {};
    expect(lines?.map(({ message }) => message)).toEqual([
      'hooks.example.com may have got it: the replica stopped in the middle of try 2.',
      'hooks.example.com may have got it: the replica stopped in the middle of try 3.',
      'hooks.example.com could not be reached (ECONNREFUSED), try 4; tried again in about 2 min.',
    ]);
    expect(next).toEqual({ tryNumber: 5, delaySeconds: 135 });
  });

  it('sends nothing where replicas were cut off as often as may be tried', async () => {
    const delivery = makeDelivery({ cutOffTries: MAX_TRIES });
    const queue = createQueue(delivery);
    startCourier(queue, () => expect.fail('It was sent.'));
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
    const { lines = [], next } = queue.settled.get(delivery.webhookId) ?? {};
    expect(lines.at(-1)?.message).toBe('hooks.example.com could not be told; given up after 15 tries.');
    expect(next).toBeUndefined();
  });

  it('sends nothing to a host that is not allowed any more', async () => {
    const delivery = makeDelivery({ url: 'https://old.example.com/path', tryNumber: 4 });
    const queue = createQueue(delivery);
    startCourier(queue, () => expect.fail('It was sent.'));
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
    expect(queue.settled.get(delivery.webhookId)).toEqual({
      lines: [
        {
          action: 'WEBHOOK_FAILED',
          message: 'old.example.com is not allowed any more; given up after 3 tries.',
        },
      ],
      next: undefined,
    });
  });

  it('writes down what became of a try when the database is back', async () => {
    const delivery = makeDelivery();
    const queue = createQueue(delivery);
    let failures = 0;
    const settle: typeof queue.settle = async (...given) => {
      failures += 1;
      if (failures < 3) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
      await queue.settle(...given);
    };
    const errors: unknown[] = [];
    startCourier({ ...queue, settle }, async () => ANSWERED, { onError: (error) => errors.push(error) });
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
    expect(errors).toHaveLength(2);
  });

  it('goes on after a fault of the queue', async () => {
    const delivery = makeDelivery();
    const queue = createQueue(delivery);
    let failures = 0;
    const take: typeof queue.take = async (...given) => {
      failures += 1;
      if (failures < 3) throw new Error('away');
      return queue.take(...given);
    };
    startCourier({ ...queue, take }, async () => ANSWERED, { onError: () => undefined });
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
  });
});

describe('the places of the courier', () => {
  const many = (count: number, clientId: string) =>
    Array.from({ length: count }, () => makeDelivery({ clientId }));

  it('are as many as it has, and of one client no more than its share', async () => {
    const queue = createQueue(...many(8, 'a'), ...many(8, 'b'), ...many(8, 'c'));
    const { held, send } = holdAnswers();
    startCourier(queue, send, { atOnce: 10 });
    await vi.waitFor(() => expect(held).toHaveLength(10));
    const left = Map.groupBy(queue.waiting, ({ generation }) => generation.clientId);
    expect(['a', 'b', 'c'].map((clientId) => 8 - (left.get(clientId)?.length ?? 0))).toEqual([4, 4, 2]);
  });

  it('are not taken away by one client whose receiver hangs', async () => {
    const queue = createQueue(...many(50, 'hangs'));
    const { held, send } = holdAnswers();
    startCourier(
      queue,
      (...given) => (given[1].body.includes('hangs') ? send(...given) : Promise.resolve(ANSWERED)),
      {
        atOnce: 10,
      },
    );
    await vi.waitFor(() => expect(held).toHaveLength(4));
    queue.waiting.push(...many(20, 'other'));
    await vi.waitFor(() => expect(queue.settled.size).toBe(20));
    expect(held).toHaveLength(4);
  });

  it('are filled again as they become free, without waiting for the next look', async () => {
    const queue = createQueue(...many(6, 'a'));
    const { held, send } = holdAnswers();
    startCourier(queue, send, { atOnce: 5, pollMs: 60_000 });
    await vi.waitFor(() => expect(held).toHaveLength(2));
    held[0]?.answer(ANSWERED);
    await vi.waitFor(() => expect(held).toHaveLength(3));
  });

  it('are filled when the courier is woken, without waiting for the next look', async () => {
    const queue = createQueue();
    const courier = startCourier(queue, async () => ANSWERED, { pollMs: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    queue.waiting.push(makeDelivery());
    courier.wake();
    await vi.waitFor(() => expect(queue.settled.size).toBe(1));
  });
});

describe('a courier that drains', () => {
  it('takes nothing more, and lets what is on its way arrive', async () => {
    const [first, second] = [makeDelivery(), makeDelivery()];
    const queue = createQueue(first);
    const { held, send } = holdAnswers();
    const courier = startCourier(queue, send);
    await vi.waitFor(() => expect(held).toHaveLength(1));
    const drained = courier.drain(10_000);
    queue.waiting.push(second);
    courier.wake();
    held[0]?.answer(ANSWERED);
    await drained;
    expect([...queue.settled.keys()]).toEqual([first.webhookId]);
    expect(queue.waiting).toEqual([second]);
  });

  it('cuts off what takes too long: it is tried again', async () => {
    const delivery = makeDelivery();
    const queue = createQueue(delivery);
    const { held, send } = holdAnswers();
    const courier = startCourier(queue, send);
    await vi.waitFor(() => expect(held).toHaveLength(1));
    await courier.drain(20);
    expect(queue.settled.get(delivery.webhookId)).toMatchObject({
      lines: [{ message: expect.stringContaining('was cut off: the gateway stopped, try 1; tried again') }],
      next: { tryNumber: 2 },
    });
  });

  it('ends in bounded time, though the database hangs', async () => {
    const queue = createQueue(makeDelivery());
    const { held, send } = holdAnswers();
    const settle = () => new Promise<void>(() => undefined);
    const courier = startCourier({ ...queue, settle }, send, { cutGraceMs: 20 });
    await vi.waitFor(() => expect(held).toHaveLength(1));
    held[0]?.answer(ANSWERED);
    const startedAt = performance.now();
    await courier.drain(20);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startGeneration } from '../support/background.ts';
import { freshKey, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { type Receiver, startReceiver, status } from '../webhooks/support/receiver.ts';
import { startWebhookGateway, webhookLines, webhookSecret } from '../webhooks/support/webhook-gateway.ts';

const pictures = createHeldPictures();
let receiver: Receiver;
let gateway: TestGateway;
beforeAll(async () => {
  receiver = await startReceiver();
  gateway = await startWebhookGateway(receiver, { upstream: { pictures: pictures.paint } });
});
afterEach(() => receiver.reset());
afterAll(async () => {
  pictures.release();
  await gateway?.close();
  await receiver?.close();
});

const received = (count: number) =>
  vi.waitFor(() => expect(receiver.received).toHaveLength(count), { timeout: 10_000 });
const told = async (generationId: string, count: number) =>
  vi.waitFor(async () => expect(await webhookLines(gateway, generationId)).toHaveLength(count), {
    timeout: 10_000,
  });
const idOf = (result: { generation?: { id: string } }): string => result.generation?.id ?? '';
const bodies = () => receiver.received.map(({ body }) => JSON.parse(body));

describe('a webhook', () => {
  it('tells of an image what the API tells of it, signed for its client', async () => {
    const idempotencyKey = freshKey();
    const result = await gateway.generateImage({ prompt: 'told', idempotencyKey, webhookUrl: receiver.url });
    expect(result.__typename).toBe('GenerateImageSuccess');
    await received(1);
    const [webhook] = receiver.received;
    const payload = new Webhook(await webhookSecret(gateway)).verify(
      webhook?.body ?? '',
      webhook?.headers ?? {},
    );
    const { id, width, height, sha256, byteSize } = result.image ?? {};
    expect(payload).toEqual({
      type: 'generation.succeeded',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: {
        id: idOf(result),
        status: 'SUCCEEDED',
        idempotencyKey,
        failure: null,
        image: {
          ...{ id, width, height, sha256, byteSize },
          contentType: 'image/png',
          url: expect.stringContaining('/images/'),
        },
      },
    });
    const image = await fetch((payload as { data: { image: { url: string } } }).data.image.url);
    expect([image.status, (await image.bytes()).length]).toEqual([200, byteSize]);
    await told(idOf(result), 1);
    expect(await webhookLines(gateway, idOf(result))).toEqual([
      { action: 'WEBHOOK_DELIVERED', message: 'hooks.example.com answered HTTP 204, try 1.' },
    ]);
  });

  it('of a background generation comes after its end is on record', async () => {
    const prompt = 'held until its caller has left';
    pictures.hold(prompt);
    let onRecord: Promise<{ status: string }[]> | undefined;
    receiver.answerWith((response, { body }) => {
      const key = JSON.parse(body).data.idempotencyKey;
      onRecord = gateway.sql('select status from generations where idempotency_key = $1', [key]);
      response.writeHead(204).end();
    });
    const started = await startGeneration(gateway, {
      prompt,
      idempotencyKey: freshKey(),
      webhookUrl: receiver.url,
    });
    expect(started).toMatchObject({ __typename: 'StartGenerationSuccess' });
    expect(receiver.received).toEqual([]);
    pictures.release();
    await received(1);
    expect(await onRecord).toEqual([{ status: 'SUCCEEDED' }]);
  });

  it('tells of a failure', async () => {
    gateway.sandbox.behave({ kind: 'status', status: 422 });
    const result = await gateway.generateImage({ prompt: 'refused upstream', webhookUrl: receiver.url });
    await received(1);
    expect(bodies()).toMatchObject([
      {
        type: 'generation.failed',
        data: { id: idOf(result), failure: { code: 'PROVIDER_REJECTED' }, image: null },
      },
    ]);
  });

  it('tells of an unknown outcome', async () => {
    gateway.sandbox.behave({ kind: 'reset', at: 'before-headers' });
    const input = { prompt: 'lost upstream', delivery: 'AT_MOST_ONCE', webhookUrl: receiver.url };
    expect((await gateway.generateImage(input)).__typename).toBe('OutcomeUnknownError');
    await received(1);
    expect(bodies()).toMatchObject([{ type: 'generation.unknown', data: { status: 'UNKNOWN' } }]);
  });

  it('tells of a cancel', async () => {
    const prompt = 'held until it is canceled';
    pictures.hold(prompt);
    const started = await startGeneration(gateway, { prompt, webhookUrl: receiver.url });
    const id = idOf(started);
    await gateway.query('mutation ($id: ID!) { cancelGeneration(input: { id: $id }) { __typename } }', {
      id,
    });
    await received(1);
    expect(bodies()).toMatchObject([
      { type: 'generation.canceled', data: { id, status: 'CANCELED', image: null } },
    ]);
    pictures.release();
  });
});

describe('who asks again', () => {
  it('with a URL of its own is told too, whether the picture is still made or the answer is remembered', async () => {
    const prompt = 'asked for thrice';
    const input = { prompt, idempotencyKey: freshKey() };
    pictures.hold(prompt);
    await startGeneration(gateway, { ...input, webhookUrl: `${receiver.url}&first` });
    await startGeneration(gateway, { ...input, webhookUrl: `${receiver.url}&second` });
    pictures.release();
    expect((await gateway.generateImage(input)).__typename).toBe('GenerateImageSuccess');
    await received(2);
    // The answer comes from memory now; who wants to be told is noted all the same.
    expect(await gateway.generateImage({ ...input, webhookUrl: `${receiver.url}&third` })).toMatchObject({
      __typename: 'GenerateImageSuccess',
      replayed: true,
    });
    await received(3);
    const asked = receiver.received.map(({ path }) => path.split('&')[1]);
    expect(asked.sort()).toEqual(['first', 'second', 'third']);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
    expect(gateway.sandbox.journal.calls((call) => call.prompt === prompt)).toHaveLength(1);
  });

  it('with the same URL is told once', async () => {
    const input = { prompt: 'asked for twice', idempotencyKey: freshKey(), webhookUrl: receiver.url };
    const result = await gateway.generateImage(input);
    await told(idOf(result), 1);
    await gateway.generateImage(input);
    await startGeneration(gateway, input);
    // Another one goes the same way, and is there.
    await gateway.generateImage({ prompt: 'the next one', webhookUrl: receiver.url });
    await received(2);
    expect(bodies().map(({ data }) => data.id)).toContain(idOf(result));
    expect(await webhookLines(gateway, idOf(result))).toHaveLength(1);
  });

  it('with another prompt is refused, and nobody is told', async () => {
    const idempotencyKey = freshKey();
    const first = await gateway.generateImage({ prompt: 'the first', idempotencyKey });
    const conflict = { prompt: 'another', idempotencyKey, webhookUrl: receiver.url };
    expect((await gateway.generateImage(conflict)).__typename).toBe('IdempotencyConflictError');
    await gateway.generateImage({ prompt: 'the one after', webhookUrl: receiver.url });
    await received(1);
    expect(bodies()[0].data.id).not.toBe(idOf(first));
  });

  it('with the eleventh URL is told so', async () => {
    const input = { prompt: 'told to many', idempotencyKey: freshKey() };
    for (let index = 0; index < 10; index++) {
      const result = await gateway.generateImage({ ...input, webhookUrl: `${receiver.url}&${index}` });
      expect(result.__typename).toBe('GenerateImageSuccess');
    }
    expect(await gateway.generateImage({ ...input, webhookUrl: `${receiver.url}&11` })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [
        { path: ['input', 'webhookUrl'], message: expect.stringContaining('one too many: 10 others') },
      ],
    });
    await received(10);
  });
});

describe('a receiver', () => {
  it('that fails twice is told again, under the same id, each time signed anew', async () => {
    receiver.answerWith(status(503), status(500), status(200));
    const result = await gateway.generateImage({ prompt: 'told thrice', webhookUrl: receiver.url });
    await received(3);
    await told(idOf(result), 3);
    const verifier = new Webhook(await webhookSecret(gateway));
    for (const { body, headers } of receiver.received) expect(verifier.verify(body, headers)).toBeTruthy();
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await webhookLines(gateway, idOf(result))).toEqual([
      {
        action: 'WEBHOOK_FAILED',
        message: 'hooks.example.com answered HTTP 503, try 1; tried again in about 0 s.',
      },
      {
        action: 'WEBHOOK_FAILED',
        message: 'hooks.example.com answered HTTP 500, try 2; tried again in about 0 s.',
      },
      { action: 'WEBHOOK_DELIVERED', message: 'hooks.example.com answered HTTP 200, try 3.' },
    ]);
  });

  it('that is gone for good (410) is not told again', async () => {
    receiver.answerWith(status(410), status(200));
    const result = await gateway.generateImage({ prompt: 'told in vain', webhookUrl: receiver.url });
    await told(idOf(result), 1);
    expect(await webhookLines(gateway, idOf(result))).toEqual([
      {
        action: 'WEBHOOK_FAILED',
        message: 'hooks.example.com answered HTTP 410; given up after 1 try.',
      },
    ]);
    await gateway.generateImage({ prompt: 'the one after that', webhookUrl: receiver.url });
    await received(2);
  });

  it('that never answers well is given up on, and the audit trail says so', async () => {
    receiver.answerWith(status(404));
    const result = await gateway.generateImage({ prompt: 'told for ever', webhookUrl: receiver.url });
    await told(idOf(result), 15);
    expect((await webhookLines(gateway, idOf(result))).at(-1)).toEqual({
      action: 'WEBHOOK_FAILED',
      message: 'hooks.example.com answered HTTP 404; given up after 15 tries.',
    });
    expect(receiver.received).toHaveLength(15);
  }, 60_000);

  it('that hangs holds up neither the answer nor the shutdown, and is told after the next start', async () => {
    const stuck = await startWebhookGateway(receiver, { environment: { GESSO_DRAIN_MS: '300' } });
    try {
      receiver.answerWith(() => undefined, status(204));
      const result = await stuck.generateImage({ prompt: 'told when it wakes', webhookUrl: receiver.url });
      expect(result.__typename).toBe('GenerateImageSuccess');
      await received(1);
      const startedAt = performance.now();
      await stuck.restart();
      expect(performance.now() - startedAt).toBeLessThan(8_000);
      await received(2);
      await vi.waitFor(async () =>
        expect(await webhookLines(stuck, idOf(result))).toMatchObject([
          { message: expect.stringContaining('was cut off: the gateway stopped, try 1') },
          { action: 'WEBHOOK_DELIVERED', message: 'hooks.example.com answered HTTP 204, try 2.' },
        ]),
      );
      const [first, second] = receiver.received.map(({ headers }) => headers['webhook-id']);
      expect(first).toBe(second);
    } finally {
      await stuck.close();
    }
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { cancelGeneration, generationNow, startedId, startGeneration } from '../support/background.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';

const CONCURRENCY = 2;
const pictures = createHeldPictures();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    upstream: { pictures: pictures.paint },
    environment: { GESSO_CONCURRENCY: String(CONCURRENCY) },
  });
});
afterEach(() => pictures.release());
afterAll(() => gateway.close());

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);
const arrived = (prompt: string) =>
  gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
const auditOf = async (prompt: string) =>
  (
    await gateway.sql<{ action: string }>(
      `select e.action from audit_events e join generations g on g.id = e.generation_id
       where g.prompt = $1 order by e.id`,
      [prompt],
    )
  ).map(({ action }) => action);
const openJobs = () =>
  gateway.sql(`select 1 from gesso_queue.job where state < 'completed' and name like 'generations%'`);

/** Starts a generation, and resolves when its call has arrived upstream, where it is held. */
async function sent(input: { prompt: string } & object): Promise<string> {
  pictures.hold(input.prompt);
  const id = await startedId(gateway, input);
  await arrived(input.prompt);
  return id;
}

describe('canceling a generation that waits', () => {
  it('is certain and free: nothing is sent, its key and its quota are given back', async () => {
    pictures.hold('fills a place');
    const client = await gateway.createClient('cancels early', ['images:generate'], 5);
    for (const place of [1, 2]) await startedId(gateway, { prompt: `fills a place ${place}` });
    const input = { prompt: 'never sent', idempotencyKey: freshKey(), delivery: 'AT_MOST_ONCE' };
    const id = await startedId(client, input);

    expect(await cancelGeneration(client, id)).toMatchObject({
      __typename: 'CancelGenerationSuccess',
      mayBeBilled: false,
      generation: { id, status: 'CANCELED', attempts: [], image: null },
    });
    expect(await client.query('{ viewer { quota { remaining } } }')).toEqual({
      viewer: { quota: { remaining: 5 } },
    });
    pictures.release();
    const audit = (await auditOf(input.prompt)).filter((action) => action !== 'GENERATION_REPLAYED');
    expect(audit).toEqual(['GENERATION_REQUESTED', 'GENERATION_CANCELED']);
    const again = await client.generateImage(input);
    expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(again.generation?.id).not.toBe(id);
    expect(callsFor(input.prompt)).toHaveLength(1);
    expect(await openJobs()).toEqual([]);
  });
});

describe('canceling a generation that runs', () => {
  it.each([
    { delivery: 'AT_MOST_ONCE', keyHeld: true },
    { delivery: 'AT_LEAST_ONCE', keyHeld: false },
  ])('ends its call and says that it may be billed: $delivery', async ({ delivery, keyHeld }) => {
    const input = { prompt: `sent, ${delivery}`, idempotencyKey: freshKey(), delivery };
    pictures.hold(input.prompt);
    // Who made it is who waits for it: one that joins might come after the cancel, and make another.
    const waiting = gateway.generateImage(input);
    await arrived(input.prompt);
    const id = await startedId(gateway, input);

    expect(await cancelGeneration(gateway, id)).toMatchObject({
      __typename: 'CancelGenerationSuccess',
      mayBeBilled: true,
      generation: {
        status: 'CANCELED',
        attempts: [{ number: 1, outcome: 'UNKNOWN', errorCode: 'CANCELED' }],
      },
    });
    // Whoever waited for it is told, and does not wait for the deadline.
    expect(await waiting).toMatchObject({
      __typename: 'GenerationCanceledError',
      retryable: !keyHeld,
      generation: { id },
    });
    await vi.waitFor(() => expect(callsFor(input.prompt)[0]).toMatchObject({ clientLeft: true }));
    const audit = (await auditOf(input.prompt)).filter((action) => action !== 'GENERATION_REPLAYED');
    expect(audit).toEqual([
      'GENERATION_REQUESTED',
      'ATTEMPT_STARTED',
      'ATTEMPT_FINISHED',
      'GENERATION_CANCELED',
    ]);

    pictures.release();
    const again = await startGeneration(gateway, input);
    expect(again.replayed).toBe(keyHeld);
    expect(again.generation?.id === id).toBe(keyHeld);
  });

  it('frees its place at once', async () => {
    const ids = [await sent({ prompt: 'takes one place' }), await sent({ prompt: 'takes the other' })];
    const waiting = gateway.generateImage({ prompt: 'waits for a place' });
    await cancelGeneration(gateway, ids[0] ?? '');
    expect(await waiting).toMatchObject({ __typename: 'GenerateImageSuccess' });
    await cancelGeneration(gateway, ids[1] ?? '');
    pictures.release();
  });

  it('ends a wait between two attempts, and sends no second one', async () => {
    const patient = await startTestGateway({
      environment: { GESSO_RETRY_DELAYS_MS: '300000,300000,300000' },
    });
    try {
      const prompt = 'fails once';
      patient.sandbox.behave({ kind: 'status', status: 503 });
      const id = await startedId(patient, { prompt });
      await vi.waitFor(async () =>
        expect((await generationNow(patient, id))?.attempts).toMatchObject([{ outcome: 'NOT_ACCEPTED' }]),
      );
      expect(await cancelGeneration(patient, id)).toMatchObject({
        __typename: 'CancelGenerationSuccess',
        mayBeBilled: false,
      });
      expect(patient.sandbox.journal.calls()).toHaveLength(1);
    } finally {
      await patient.close();
    }
  });

  it('leaves nothing of a picture that came too late', async () => {
    const prompt = 'comes in the moment of its cancel';
    const id = await sent({ prompt });
    const canceling = cancelGeneration(gateway, id);
    pictures.release();
    const result = await canceling;
    const now = await generationNow(gateway, id);
    // Whoever commits first wins; both tell the same story.
    if (result.__typename === 'GenerationNotCancelableError') expect(now?.status).toBe('SUCCEEDED');
    else expect(now).toMatchObject({ status: 'CANCELED', image: null });
  });
});

describe('canceling what can not be canceled', () => {
  it('says that it has ended', async () => {
    const { generation } = await gateway.generateImage({ prompt: 'made long ago' });
    expect(await cancelGeneration(gateway, generation?.id ?? '')).toMatchObject({
      __typename: 'GenerationNotCancelableError',
      retryable: false,
      generation: { id: generation?.id, status: 'SUCCEEDED' },
    });
  });

  it('tells the same again to one who lost the answer', async () => {
    const id = await sent({ prompt: 'canceled twice' });
    const first = await cancelGeneration(gateway, id);
    expect(await cancelGeneration(gateway, id)).toEqual(first);
    expect(
      (await auditOf('canceled twice')).filter((action) => action === 'GENERATION_CANCELED'),
    ).toHaveLength(1);
    pictures.release();
  });

  it('finds neither what is not there nor what is of another client, whatever may be read', async () => {
    const id = await sent({ prompt: 'not yours' });
    const reader = await gateway.createClient('reads everything', ['images:generate', 'generations:read']);
    for (const wanted of [id, 'R2VuZXJhdGlvbjox', 'nonsense', '']) {
      expect(await cancelGeneration(reader, wanted), wanted).toMatchObject({
        __typename: 'GenerationNotFoundError',
        retryable: false,
      });
    }
    expect(await generationNow(gateway, id)).toMatchObject({ status: 'RUNNING' });
    pictures.release();
  });

  it('needs the scope', async () => {
    const reader = await gateway.createClient('only reads', ['generations:read']);
    await expect(cancelGeneration(reader, 'x')).rejects.toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  });
});

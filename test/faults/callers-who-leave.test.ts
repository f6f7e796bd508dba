import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';

const pictures = createHeldPictures();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: pictures.paint } });
});
afterAll(() => gateway.close());

const arrived = (prompt: string) =>
  gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

async function untilEnded(idempotencyKey: string): Promise<void> {
  const read = () =>
    gateway.sql<{ status: string }>('select status from generations where idempotency_key = $1', [
      idempotencyKey,
    ]);
  await expect.poll(read, { timeout: 5_000 }).toEqual([{ status: 'SUCCEEDED' }]);
}

describe('a client that disconnects', () => {
  it('leaves a generation that completes, and finds it again by its key', async () => {
    const input = { prompt: 'left alone', idempotencyKey: freshKey() };
    pictures.hold(input.prompt);
    const leaving = new AbortController();
    const asked = fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.key}` },
      body: JSON.stringify({
        query: 'mutation ($input: GenerateImageInput!) { generateImage(input: $input) { __typename } }',
        variables: { input },
      }),
      signal: leaving.signal,
    });
    await arrived(input.prompt);
    leaving.abort();
    await expect(asked).rejects.toThrow('aborted');
    pictures.release();

    await untilEnded(input.idempotencyKey);
    const again = await gateway.generateImage(input);
    expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

describe('a client that will not wait', () => {
  it.each([0, 1])('gets a pending generation after %i seconds, which goes on', async (waitSeconds) => {
    const input = { prompt: `not waited for (${waitSeconds})`, idempotencyKey: freshKey() };
    pictures.hold(input.prompt);
    const startedAt = performance.now();
    const pending = await gateway.generateImage({ ...input, waitSeconds });
    const waitedMs = performance.now() - startedAt;
    expect(pending.__typename).toBe('GenerationPending');
    // As it is now, not as it was when it was claimed.
    expect(pending.generation?.status).toBe(waitSeconds === 0 ? 'QUEUED' : 'RUNNING');
    // A timer may be a millisecond early.
    expect(waitedMs).toBeGreaterThan(waitSeconds * 1000 - 2);

    await arrived(input.prompt);
    const joined = await gateway.generateImage({ ...input, waitSeconds: 0 });
    expect(joined).toMatchObject({
      __typename: 'GenerationPending',
      generation: { id: pending.generation?.id },
    });
    pictures.release();
    await untilEnded(input.idempotencyKey);
    const ended = await gateway.generateImage(input);
    expect(ended).toMatchObject({ replayed: true, generation: { id: pending.generation?.id } });
    expect(callsFor(input.prompt)).toHaveLength(1);
  });

  it('reads the pending generation by its id', async () => {
    const prompt = 'looked up while it runs';
    pictures.hold(prompt);
    const { generation } = await gateway.generateImage({ prompt, waitSeconds: 0 });
    await arrived(prompt);
    const read = async () => {
      const data = await gateway.query<{ generation: { status: string; image: { width: number } | null } }>(
        'query ($id: ID!) { generation(id: $id) { status image { width } } }',
        { id: generation?.id },
      );
      return data.generation;
    };
    expect(await read()).toEqual({ status: 'RUNNING', image: null });
    pictures.release();
    await expect.poll(read).toEqual({ status: 'SUCCEEDED', image: { width: 64 } });
  });
});

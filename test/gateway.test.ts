import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshKey, startTestGateway, type TestGateway } from './support/gateway.ts';

describe('the main job', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it('makes an image that downloads, byte for byte', async () => {
    const result = await gateway.generateImage({ prompt: 'a lighthouse', idempotencyKey: freshKey() });
    expect(result).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    const response = await fetch(result.image?.url ?? '');
    expect(response.headers.get('content-type')).toBe('image/png');
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(result.image?.sha256);
    expect(result.generation?.attempts).toMatchObject([{ number: 1, outcome: 'SUCCEEDED', httpStatus: 200 }]);
  });

  it('replays a key without a call', async () => {
    const input = { prompt: 'a boat', idempotencyKey: freshKey() };
    const first = await gateway.generateImage(input);
    const calls = gateway.sandbox.journal.calls().length;
    const second = await gateway.generateImage(input);
    expect(second).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: true });
    expect(second.image?.id).toBe(first.image?.id);
    expect(gateway.sandbox.journal.calls()).toHaveLength(calls);
  });

  it('finds everything again after a restart', async () => {
    const input = { prompt: 'a harbour', idempotencyKey: freshKey() };
    const first = await gateway.generateImage(input);
    const calls = gateway.sandbox.journal.calls().length;
    await gateway.restart();
    const second = await gateway.generateImage(input);
    expect(second).toMatchObject({ replayed: true, image: { id: first.image?.id } });
    expect(gateway.sandbox.journal.calls()).toHaveLength(calls);
    expect((await fetch(second.image?.url ?? '')).status).toBe(200);
  });

  it('makes several images as independent requests, and only the new ones when asked for more', async () => {
    const input = { prompt: 'three boats', idempotencyKey: freshKey(), count: 2 };
    const two = await gateway.generateImages(input);
    const three = await gateway.generateImages({ ...input, count: 3 });
    expect(three.map(({ replayed }) => replayed)).toEqual([true, true, false]);
    expect(three.slice(0, 2).map(({ image }) => image?.id)).toEqual(two.map(({ image }) => image?.id));
  });
});

import { isEnumType } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

/** As the vendor's page lists them. */
const SIZES: Readonly<Record<string, string>> = {
  AUTO: 'auto',
  SQUARE_1024X1024: '1024x1024',
  LANDSCAPE_1536X1024: '1536x1024',
  PORTRAIT_1024X1536: '1024x1536',
  SQUARE_2048X2048: '2048x2048',
  LANDSCAPE_2048X1152: '2048x1152',
  LANDSCAPE_3840X2160: '3840x2160',
  PORTRAIT_2160X3840: '2160x3840',
};

describe('a size', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
    // The pictures' own size is of no interest here; large ones take long to draw.
    gateway.sandbox.behaveAlways({ kind: 'plain-picture', width: 8, height: 8 });
  });
  afterAll(() => gateway.close());
  beforeEach(() => gateway.sandbox.journal.clear());

  it('is one of eight', () => {
    const type = schema.getType('ImageSize');
    const names = isEnumType(type) ? type.getValues().map(({ name }) => name) : [];
    expect(names.toSorted()).toEqual(Object.keys(SIZES).toSorted());
  });

  it.each(Object.entries(SIZES))('%s is asked for as %s, and read back', async (size, text) => {
    const { generation } = await gateway.generateImage({ prompt: `of size ${size}`, size });
    expect(gateway.sandbox.journal.calls().map(({ json }) => json)).toMatchObject([{ size: text }]);
    const { body } = await gateway.send('query ($id: ID!) { generation(id: $id) { requestedSize } }', {
      id: generation?.id,
    });
    expect(body.data.generation.requestedSize).toBe(size);
  });

  it('is 1024 × 1024 where none is asked for, and the picture is reported as it came', async () => {
    const { image } = await gateway.generateImage({ prompt: 'of any size' });
    expect(gateway.sandbox.journal.calls().map(({ json }) => json)).toMatchObject([{ size: '1024x1024' }]);
    expect(image).toMatchObject({ width: 8, height: 8 });
  });
});

describe('a provider', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it('is listed with what it can be asked for, and judged by its calls', async () => {
    const ask = async () =>
      (await gateway.send('{ providers { name models sizes status checkedAt } }')).body.data.providers;
    const [unasked] = await ask();
    expect(unasked).toEqual({
      name: 'bettertoken',
      models: ['gpt-image-2'],
      sizes: Object.keys(SIZES),
      status: 'AVAILABLE',
      checkedAt: null,
    });
    await gateway.generateImage({ prompt: 'asked' });
    expect(await ask()).toEqual([{ ...unasked, checkedAt: expect.any(String) }]);
  });

  it('is taken by its name, and told', async () => {
    const { generation } = await gateway.generateImage({ prompt: 'by name', provider: 'bettertoken' });
    const { body } = await gateway.send('query ($id: ID!) { generation(id: $id) { provider model } }', {
      id: generation?.id,
    });
    expect(body.data.generation).toEqual({ provider: 'bettertoken', model: 'gpt-image-2' });
  });

  it.each(['another', '', 'BetterToken', 'bettertoken ', '__proto__', 'a\0b'])(
    'that there is not is refused before any call: %j',
    async (provider) => {
      const calls = gateway.sandbox.journal.calls().length;
      const refusal = { __typename: 'InvalidInputError', issues: [{ path: ['input', 'provider'] }] };
      expect(await gateway.generateImage({ prompt: 'x', provider })).toMatchObject(refusal);
      expect(await gateway.generateImages({ prompt: 'x', provider, count: 2 })).toMatchObject([
        refusal,
        refusal,
      ]);
      expect(gateway.sandbox.journal.calls()).toHaveLength(calls);
    },
  );
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('an idempotency key made to do harm', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  it.each([
    ['empty', ''],
    ['of 256 characters', 'k'.repeat(256)],
    ['of 300 characters', 'k'.repeat(300)],
    ['of two lines', 'a\r\nb'],
    ['that would be a log line of its own', 'a\n{"level":30,"msg":"request","status":200}'],
    ['with a NUL', 'a\0b'],
    ['with a tab', 'a\tb'],
    ['with the separators of ASCII', 'a\x1c\x1d\x1e\x1fb'],
    ['with a line separator of Unicode', 'a\u2028b'],
    ['with an escape sequence for terminals', '\x1b[2J'],
    ['that looks like another', 'p\u0430yment'],
    ['with a lone surrogate', 'a\ud800'],
  ])('is refused when it is one %s', async (_what, idempotencyKey) => {
    const refusal = {
      __typename: 'InvalidInputError',
      retryable: false,
      issues: [{ path: ['input', 'idempotencyKey'], message: expect.stringContaining('1 to 255') }],
    };
    expect(await gateway.generateImage({ prompt: 'x', idempotencyKey })).toMatchObject(refusal);
    expect(await gateway.generateImages({ prompt: 'x', count: 2, idempotencyKey })).toMatchObject([refusal]);
    expect(gateway.sandbox.journal.calls()).toEqual([]);
  });

  it('opens a slot of its own when it is full of printable separators', async () => {
    const eve = await gateway.createClient('eve');
    const [client] = await gateway.sql<{ id: string }>(`select id from clients where name = 'eve'`);
    const keys = [
      'k',
      'k,0',
      'k","0',
      '["k"]',
      `${client?.id}:k`,
      'k:1',
      'k|1',
      "k' or 1=1 --",
      'k\\0',
      'k '.repeat(127),
    ];
    const prompts = keys.map((_, index) => `prompt ${index}`);
    const made = await Promise.all(
      keys.map((idempotencyKey, index) => eve.generateImage({ prompt: prompts[index], idempotencyKey })),
    );
    const several = await eve.generateImages({ prompt: 'several', count: 2, idempotencyKey: 'k' });
    const all = [...made, ...several];
    expect(new Set(all.map(({ image }) => image?.id)).size).toBe(keys.length + 2);
    expect(gateway.sandbox.journal.billed()).toHaveLength(keys.length + 2);

    const again = await Promise.all(
      keys.map((idempotencyKey, index) => eve.generateImage({ prompt: prompts[index], idempotencyKey })),
    );
    expect(again.map(({ replayed, image }) => [replayed, image?.id])).toEqual(
      made.map(({ image }) => [true, image?.id]),
    );
  });

  it('of 255 characters is good, and comes back as it was given', async () => {
    const idempotencyKey = `${'~'.repeat(127)} ${'!'.repeat(127)}`;
    const { generation } = await gateway.generateImage({ prompt: 'x', idempotencyKey });
    expect(generation?.idempotencyKey).toBe(idempotencyKey);
  });
});

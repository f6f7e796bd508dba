import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createTestClock } from '../support/test-clock.ts';

const HOUR_MS = 3_600_000;
const REJECTION = { kind: 'status', status: 400 } as const;

interface Row {
  readonly id: string;
  readonly prompt: string;
  readonly createdAt: string;
  readonly client: { readonly id: string };
}

describe('a list with a filter', () => {
  const clock = createTestClock();
  let gateway: TestGateway;
  let rows: Row[];
  beforeAll(async () => {
    gateway = await startTestGateway({ clock });
    const alice = await gateway.createClient('alice');
    const bob = await gateway.createClient('bob');
    await alice.generateImage({ prompt: 'one', idempotencyKey: 'k' });
    clock.jump(HOUR_MS);
    gateway.sandbox.behave(REJECTION);
    await bob.generateImage({ prompt: 'two' });
    clock.jump(HOUR_MS);
    await bob.generateImage({ prompt: 'three' });
    await alice.generateImage({ prompt: 'one', idempotencyKey: 'k' });
    await alice.generateImage({ prompt: 'another', idempotencyKey: 'k' });
    rows = await list('generations', {}, 'id prompt createdAt client { id }');
  });
  afterAll(() => gateway.close());

  /** The nodes of a list, oldest first. */
  async function list<Node>(
    name: 'generations' | 'auditEvents',
    filter: object,
    fields: string,
  ): Promise<Node[]> {
    const type = name === 'generations' ? 'GenerationFilterInput' : 'AuditFilterInput';
    const data = await gateway.query<{ [list: string]: { edges: { node: Node }[] } }>(
      `query ($filter: ${type}) { ${name}(first: 100, filter: $filter) { edges { node { ${fields} } } } }`,
      { filter },
    );
    return (data[name]?.edges ?? []).map(({ node }) => node).toReversed();
  }
  const row = (prompt: string): Row => {
    const found = rows.find((candidate) => candidate.prompt === prompt);
    if (found === undefined) throw new Error(`There is no generation of "${prompt}".`);
    return found;
  };

  describe('of generations', () => {
    const prompts = async (filter: object) =>
      (await list<{ prompt: string }>('generations', filter, 'prompt')).map(({ prompt }) => prompt);

    it.each([
      ['no filter', {}, ['one', 'two', 'three']],
      [
        'nulls',
        { statuses: null, clientId: null, provider: null, createdFrom: null },
        ['one', 'two', 'three'],
      ],
      ['a status', { statuses: ['FAILED'] }, ['two']],
      ['several statuses', { statuses: ['FAILED', 'SUCCEEDED', 'QUEUED'] }, ['one', 'two', 'three']],
      ['no status at all', { statuses: [] }, []],
      ['the provider', { provider: 'bettertoken' }, ['one', 'two', 'three']],
      ['another provider', { provider: 'another' }, []],
      ['a provider that no database takes', { provider: 'a\0b\ud800' }, []],
      ['an idempotency key', { idempotencyKey: 'k' }, ['one']],
      ['a key that no database takes', { idempotencyKey: 'a\0b\ud800' }, []],
      ['an injection', { provider: "' or 1=1 --" }, []],
      ['a client that is none', { clientId: 'nonsense' }, []],
    ])('by %s', async (_what, filter, expected) => {
      expect(await prompts(filter)).toEqual(expected);
    });

    it('by a client, and by no id of another type', async () => {
      expect(await prompts({ clientId: row('two').client.id })).toEqual(['two', 'three']);
      expect(await prompts({ clientId: row('two').id })).toEqual([]);
    });

    it('by time, from an instant on, until just before another', async () => {
      const [one, two, three] = [row('one'), row('two'), row('three')].map(({ createdAt }) => createdAt);
      expect(await prompts({ createdFrom: two })).toEqual(['two', 'three']);
      expect(await prompts({ createdUntil: two })).toEqual(['one']);
      expect(await prompts({ createdFrom: one, createdUntil: three })).toEqual(['one', 'two']);
      const sameInstant = two?.replace('Z', '+00:00');
      expect(await prompts({ createdFrom: sameInstant, createdUntil: three })).toEqual(['two']);
      expect(await prompts({ createdFrom: three, createdUntil: one })).toEqual([]);
    });

    it('by several things at once', async () => {
      const clientId = row('two').client.id;
      expect(await prompts({ clientId, statuses: ['SUCCEEDED'], createdFrom: row('two').createdAt })).toEqual(
        ['three'],
      );
    });

    it.each([
      'yesterday',
      '2026-01-31',
      '2026-02-30T00:00:00Z',
      '2026-01-31T25:00:00Z',
      '2026-01-31 10:00:00Z',
      '',
    ])('by no time that is none: %j', async (createdFrom) => {
      const { body } = await gateway.send(
        'query ($from: DateTime!) { generations(filter: { createdFrom: $from }) { edges { cursor } } }',
        { from: createdFrom },
      );
      expect(body.data).toBeUndefined();
      expect(body.errors).toMatchObject([{ extensions: { code: 'BAD_REQUEST' } }]);
      expect(body.errors?.[0]?.message).toContain('ISO 8601');
    });
  });

  describe('of the audit trail', () => {
    const actions = async (filter: object) =>
      (await list<{ action: string }>('auditEvents', filter, 'action')).map(({ action }) => action);

    it('by what happened', async () => {
      expect(
        await actions({ actions: ['GENERATION_REPLAYED', 'GENERATION_CONFLICTED', 'GENERATION_FAILED'] }),
      ).toEqual(['GENERATION_FAILED', 'GENERATION_REPLAYED', 'GENERATION_CONFLICTED']);
      expect(await actions({ actions: [] })).toEqual([]);
    });

    it('by the generation that it is about', async () => {
      expect(await actions({ generationId: row('one').id })).toEqual([
        'GENERATION_REQUESTED',
        'ATTEMPT_STARTED',
        'ATTEMPT_FINISHED',
        'GENERATION_SUCCEEDED',
        'GENERATION_REPLAYED',
        'GENERATION_CONFLICTED',
      ]);
      expect(await actions({ generationId: row('one').client.id })).toEqual([]);
    });

    it('by the client', async () => {
      const bobs = await actions({ clientId: row('two').client.id });
      expect(bobs.filter((action) => action === 'GENERATION_REQUESTED')).toHaveLength(2);
      expect(bobs).not.toContain('GENERATION_REPLAYED');
    });

    it('by time, from an instant on, until just before another', async () => {
      const [two, three] = [row('two').createdAt, row('three').createdAt];
      const between = await actions({ occurredFrom: two, occurredUntil: three });
      expect(between).toEqual([
        'GENERATION_REQUESTED',
        'ATTEMPT_STARTED',
        'ATTEMPT_FINISHED',
        'GENERATION_FAILED',
      ]);
      const all = await actions({});
      const [before, after] = [await actions({ occurredUntil: two }), await actions({ occurredFrom: three })];
      expect(before.length + between.length + after.length).toBe(all.length);
    });
  });
});

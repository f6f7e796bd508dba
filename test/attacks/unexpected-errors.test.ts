import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, logOf } from '../support/edge.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const MASKED = { message: 'The gateway failed unexpectedly.', extensions: { code: 'INTERNAL_SERVER_ERROR' } };

describe('an error that nobody expected', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
    // What a bug would do: a statement that PostgreSQL refuses.
    await gateway.sql('alter table audit_events rename to somewhere_else');
  });
  afterAll(() => gateway.close());

  it('is masked, and logged whole, once', async () => {
    const before = gateway.logLines.length;
    const answer = await gateway.send('{ auditEvents { edges { cursor } } }');
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({
      data: { auditEvents: null },
      errors: [{ ...MASKED, path: ['auditEvents'], locations: [{ line: 1, column: 3 }] }],
    });
    const errors = logOf(gateway)
      .slice(before)
      .filter(({ level, msg }) => Number(level) >= 50 && msg !== 'request');
    expect(errors).toMatchObject([
      { err: { message: expect.stringContaining('audit_events'), stack: expect.any(String) } },
    ]);
  });

  it('leaves the rest of the answer alone', async () => {
    const { body } = await gateway.send('{ viewer { client { name } } auditEvents { edges { cursor } } }');
    expect(body.data).toEqual({ viewer: { client: { name: 'admin' } }, auditEvents: null });
  });

  it('is masked in a mutation, which then did nothing', async () => {
    const answer = await gateway.send('mutation { generateImage(input: { prompt: "x" }) { __typename } }');
    expect(answer.status).toBe(500);
    expect(answer.body.data).toBeNull();
    expect(codesOf(answer)).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(JSON.stringify(answer.body)).not.toContain('audit_events');
    expect(gateway.sandbox.journal.calls()).toEqual([]);
    expect(await gateway.sql('select id from generations')).toEqual([]);
  });
});

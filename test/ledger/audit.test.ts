import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEventsById, listAuditEvents } from '../../src/ledger/audit-events.ts';
import { openTestLedger, type TestLedger } from '../support/ledger.ts';

const NEWEST = { limit: 100, after: undefined, before: undefined, inverted: false };

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());

describe('the audit trail', () => {
  it('has a line once `append` resolves', async () => {
    const requestId = randomUUID();
    const { clientId } = ledger;
    await ledger.auditTrail.append({ action: 'GENERATION_DENIED', requestId, clientId, message: 'no scope' });
    const [event] = (await listAuditEvents(ledger.db, {}, NEWEST)).filter((e) => e.requestId === requestId);
    expect(event).toMatchObject({
      action: 'GENERATION_DENIED',
      clientId,
      generationId: undefined,
      attemptId: undefined,
      message: 'no scope',
      occurredAt: expect.any(Date),
    });
    expect(await auditEventsById(ledger.db, [event?.id ?? ''])).toEqual([event]);
  });

  it('numbers lines in the order they were told, though they are written in batches', async () => {
    const requestId = randomUUID();
    const messages = Array.from({ length: 300 }, (_, index) => `line ${index}`);
    await Promise.all(
      messages.map((message) =>
        ledger.auditTrail.append({ action: 'GENERATION_REPLAYED', requestId, message }),
      ),
    );
    const rows = await ledger.rows<{ message: string }>(
      'select message from audit_events where request_id = $1 order by id',
      [requestId],
    );
    expect(rows.map(({ message }) => message)).toEqual(messages);
  });

  it('takes text that PostgreSQL would refuse', async () => {
    const requestId = randomUUID();
    await ledger.auditTrail.append({ action: 'GENERATION_DENIED', requestId, message: 'a\0b\ud800c 🏮' });
    expect(await ledger.rows('select message from audit_events where request_id = $1', [requestId])).toEqual([
      { message: 'ab\ufffdc 🏮' },
    ]);
  });

  it.each([
    ['UPDATE', `update audit_events set message = 'nothing happened'`],
    ['DELETE', 'delete from audit_events'],
    ['TRUNCATE', 'truncate audit_events'],
    ['TRUNCATE … CASCADE', 'truncate generations, audit_events cascade'],
  ])('refuses %s: the database itself does', async (_name, statement) => {
    await ledger.auditTrail.append({ action: 'GENERATION_DENIED', requestId: randomUUID() });
    const before = await ledger.rows('select * from audit_events order by id');
    await expect(ledger.rows(statement)).rejects.toThrow('audit_events is append-only');
    expect(await ledger.rows('select * from audit_events order by id')).toEqual(before);
  });

  it('outlives what it tells of', async () => {
    const { id } = await ledger.generation();
    await ledger.rows('delete from generations where id = $1', [id]);
    const lines = await listAuditEvents(ledger.db, { generationId: id }, NEWEST);
    expect(lines.map(({ action }) => action)).toEqual(['GENERATION_REQUESTED']);
  });
});

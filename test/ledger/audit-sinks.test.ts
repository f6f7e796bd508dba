import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/ledger/audit.ts';
import { ensureAuditIndex } from '../../src/ledger/audit-index.ts';
import { readAuditAfter, registerAuditSink } from '../../src/ledger/audit-sinks.ts';
import { type HeldAuditTail, takeAuditTail } from '../../src/ledger/audit-tail.ts';
import { type Database, openDatabase } from '../../src/ledger/database.ts';
import * as firstLedger from '../../src/ledger/migrations/0001-ledger.ts';
import * as auditSinks from '../../src/ledger/migrations/0004-audit-sinks.ts';
import { createTestDatabase } from '../support/database.ts';
import { openTestLedger, type TestLedger } from '../support/ledger.ts';

const LIMIT = 500;
/** A number that the transactions of a test server never come to. */
const FAR = 1_000_000_000;

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());

const append = (message: string) =>
  ledger.auditTrail.append({ action: 'GENERATION_DENIED', requestId: randomUUID(), message });

/** Inserts a line in a transaction of its own, by columns that are given; resolves with its end. */
const INSERT = `insert into audit_events (id, occurred_at, action, request_id, message)
  values (gen_random_uuid(), now(), 'GENERATION_DENIED', 'by hand', $1)`;

async function withClient<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: ledger.databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Resolves when no transaction, of this test or of another one on the same server, holds up what is in the trail. */
async function settled(): Promise<void> {
  const waiting = `select 1 from audit_events where tx >= pg_snapshot_xmin(pg_current_snapshot()) and tx < '${FAR}'`;
  await expect.poll(() => ledger.rows(waiting), { timeout: 20_000, interval: 5 }).toEqual([]);
}

/** Reads as a new sink does, on one connection; what it took is let go of at the end. */
async function withTail<Result>(
  work: (tail: HeldAuditTail, connection: Database) => Promise<Result>,
  {
    name = `sink-${randomUUID()}`,
    from = 'now',
    limit = LIMIT,
  }: {
    name?: string;
    from?: 'now' | 'beginning';
    limit?: number;
  } = {},
): Promise<Result> {
  await settled();
  await registerAuditSink(ledger.db, { name, from, createdAt: new Date() });
  return ledger.db.connection().execute(async (connection) => {
    const tail = await takeAuditTail(connection, name, limit);
    if (tail === undefined) throw new Error('Somebody else holds the sink.');
    try {
      return await work(tail, connection);
    } finally {
      await tail.letGo();
    }
  });
}

const messagesOf = (events: readonly AuditEvent[]) => events.map(({ message }) => message);

/** Reads what is there once it is settled, which must be something. */
async function readSome(tail: HeldAuditTail): Promise<readonly AuditEvent[]> {
  await settled();
  const events = await tail.read();
  expect(events).not.toEqual([]);
  return events;
}

/** Confirms batch by batch until these are all that there was. */
async function expectAll(tail: HeldAuditTail, expected: readonly string[]): Promise<void> {
  const messages: (string | undefined)[] = [];
  while (messages.length < expected.length) {
    messages.push(...messagesOf(await readSome(tail)));
    await tail.confirm();
  }
  expect(messages).toEqual(expected);
  expect(await tail.read()).toEqual([]);
}

describe('the tail of the trail', () => {
  it('has each line whole, in order, in batches of the size that is asked for', async () => {
    const { clientId } = ledger;
    await withTail(
      async (tail) => {
        const requestId = randomUUID();
        await ledger.auditTrail.append({ action: 'GENERATION_REPLAYED', requestId, clientId });
        await append('b');
        const events = await readSome(tail);
        expect(events[0]).toEqual({
          id: expect.any(String),
          occurredAt: expect.any(Date),
          action: 'GENERATION_REPLAYED',
          clientId,
          requestId,
          generationId: undefined,
          attemptId: undefined,
          message: undefined,
        });
        expect(events.map(({ message }) => message)).toEqual([undefined, 'b']);
        await tail.confirm();
        for (const message of ['a', 'c', 'd']) await append(message);
        await expectAll(tail, ['a', 'c', 'd']);
      },
      { limit: 2 },
    );
  });

  it('gives the same lines again until they are confirmed, also to the next reader', async () => {
    const name = `sink-${randomUUID()}`;
    await withTail(
      async (tail) => {
        await append('once');
        const [first] = await readSome(tail);
        expect((await tail.read()).map(({ id }) => id)).toEqual([first?.id]);
      },
      { name },
    );
    await withTail((tail) => expectAll(tail, ['once']), { name });
    await withTail((tail) => expectAll(tail, []), { name });
  });

  it('begins at now, or at the first line', async () => {
    await append('before');
    await withTail(async (tail) => expect(messagesOf(await readSome(tail))).toContain('before'), {
      from: 'beginning',
    });
    // What was settled when it began does not come.
    await withTail(async (tail) => {
      await append('since');
      await expectAll(tail, ['since']);
    });
  });

  it('does not overtake a transaction that is open, and misses nothing that it commits late', async () => {
    await withTail(async (tail) => {
      await withClient(async (client) => {
        await client.query('begin');
        await client.query(INSERT, ['slow']);
        await append('fast');
        expect(await tail.read()).toEqual([]);
        await client.query('commit');
      });
      await expectAll(tail, ['slow', 'fast']);
    });
  });

  it('has every line once, and in order, though many transactions commit in any order', async () => {
    const WRITERS = 6;
    const EACH = 25;
    await withTail(
      async (tail) => {
        let writing = true;
        const write = async (writer: number) =>
          withClient(async (client) => {
            for (let index = 0; index < EACH; index += 1) {
              await client.query('begin');
              await client.query(INSERT, [`${writer} ${index}`]);
              await client.query('select pg_sleep(random() * 0.01)');
              if (index % 3 === 0) await client.query(INSERT, [`${writer} ${index}, second`]);
              await client.query(index % 5 === 4 ? 'rollback' : 'commit');
            }
          });
        const written = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer))).finally(
          () => {
            writing = false;
          },
        );
        const seen: string[] = [];
        for (let last = false; !last; ) {
          last = !writing;
          if (last) await settled();
          for (let events = await tail.read(); events.length > 0; events = await tail.read()) {
            seen.push(...events.map(({ id }) => id));
            await tail.confirm();
          }
        }
        await written;
        const rows = await ledger.rows<{ id: string }>(
          `select id from audit_events where message ~ '^[0-9]+ [0-9]+' order by tx, id`,
        );
        expect(rows.length).toBe(WRITERS * (20 + 7));
        expect(seen).toEqual(rows.map(({ id }) => id));
      },
      { limit: 7 },
    );
  });

  it('goes on where a transaction was rolled back', async () => {
    await withTail(async (tail) => {
      await withClient(async (client) => {
        await client.query('begin');
        await client.query(INSERT, ['never']);
        await append('after');
        await client.query('rollback');
      });
      await expectAll(tail, ['after']);
    });
  });

  it('has the lines of a replica of the version before, which knows no transaction of a line', async () => {
    await withTail(async (tail) => {
      const line = {
        id: randomUUID(),
        occurred_at: new Date(),
        action: 'API_KEY_CREATED',
        request_id: 'old',
      };
      await ledger.rows(
        'insert into audit_events select * from json_populate_recordset(null::audit_events, $1::json)',
        [JSON.stringify([{ ...line, message: 'from before' }])],
      );
      await append('from now');
      await expectAll(tail, ['from before', 'from now']);
    });
  });

  it('is one connection’s at a time', async () => {
    const name = `sink-${randomUUID()}`;
    await withTail(
      async () => {
        const other = await ledger.openReplica();
        expect(await takeAuditTail(other.db, name, LIMIT)).toBeUndefined();
      },
      { name },
    );
    await withTail(async (tail) => expect(await tail.read()).toEqual([]), { name });
  });

  it('loses nothing when the database was restored where transactions have lower numbers', async () => {
    const name = `sink-${randomUUID()}`;
    const at = (tx: number, message: string) =>
      ledger.rows(
        `insert into audit_events (id, occurred_at, action, request_id, message, tx)
         values (gen_random_uuid(), now(), 'GENERATION_DENIED', 'restored', $1, $2::text::xid8)`,
        [message, tx],
      );
    // As a dump brings it: rows with numbers of the other server.
    await at(FAR, 'handed over there');
    await at(FAR + 1, 'not handed over there');
    await ledger.rows(
      `insert into audit_sinks (name, tx, event_id, created_at)
       select $1, tx, id, now() from audit_events where message = 'handed over there'`,
      [name],
    );
    await append('new');
    // Cut off before the end of what was restored: it comes again.
    await withTail(
      async (tail) => expect(messagesOf(await readSome(tail))).toEqual(['not handed over there']),
      { name },
    );
    await withTail(
      async (tail) => {
        await expectAll(tail, ['not handed over there', 'new']);
        await append('newer');
        await expectAll(tail, ['newer']);
      },
      { name },
    );
    await withTail((tail) => expectAll(tail, []), { name });
  });
});

describe('a trail that was there before there were sinks', () => {
  it('is numbered without being rewritten', async () => {
    const database = await createTestDatabase();
    const { db, pool } = openDatabase({
      connection: { connectionString: database.url },
      onLostConnection: () => undefined,
    });
    try {
      await firstLedger.up(db as Kysely<unknown>);
      await pool.query(
        `insert into audit_events (id, occurred_at, action, request_id)
         select gen_random_uuid(), now(), 'GENERATION_DENIED', 'old' from generate_series(1, 500)`,
      );
      const file = async () => (await pool.query(`select pg_relation_filenode('audit_events') as file`)).rows;
      const before = await file();
      await auditSinks.up(db as Kysely<unknown>);
      expect(await file()).toEqual(before);
      await pool.query(
        `insert into audit_events (id, occurred_at, action, request_id)
         values (gen_random_uuid(), now(), 'GENERATION_DENIED', 'new')`,
      );
      const { rows } = await pool.query(
        `select request_id, count(*)::integer as lines from audit_events group by tx, request_id order by tx`,
      );
      expect(rows).toEqual([
        { request_id: 'old', lines: 500 },
        { request_id: 'new', lines: 1 },
      ]);
    } finally {
      await db.destroy();
      await database.drop();
    }
  });
});

describe('the index of the tail', () => {
  const never = new AbortController().signal;
  const ensure = () =>
    ledger.db.connection().execute((connection) => ensureAuditIndex(ledger.db, connection, never));
  const state = async () => {
    const text = `select indisvalid as valid from pg_index where indexrelid = to_regclass('audit_events_by_tx')`;
    return (await ledger.rows<{ valid: boolean }>(text)).map(({ valid }) => valid);
  };

  it('is made when it is first asked for, and once', async () => {
    await ledger.rows('drop index if exists audit_events_by_tx');
    expect(await state()).toEqual([]);
    expect(await ensure()).toBe(true);
    expect(await state()).toEqual([true]);
    expect(await ensure()).toBe(true);
  });

  it('is made anew where its making was cut off', async () => {
    await ensure();
    await ledger.rows(
      `update pg_index set indisvalid = false where indexrelid = to_regclass('audit_events_by_tx')`,
    );
    expect(await ensure()).toBe(true);
    expect(await state()).toEqual([true]);
  });

  it('is left to another replica that makes it, which ends it when it stops', async () => {
    await ledger.rows('drop index if exists audit_events_by_tx');
    const stopping = new AbortController();
    await withClient(async (client) => {
      // The index waits for whoever writes to the table.
      await client.query('begin');
      await client.query(INSERT, ['open']);
      const making = ledger.db
        .connection()
        .execute((connection) => ensureAuditIndex(ledger.db, connection, stopping.signal));
      const refused = expect(making).rejects.toThrow(/canceling statement/);
      const makers = `select 1 from pg_stat_activity where query like 'create index concurrently%' and state = 'active'`;
      await expect.poll(() => ledger.rows(makers)).toHaveLength(1);
      expect(await ensure()).toBe(false);
      stopping.abort();
      await refused;
      await client.query('commit');
    });
    expect(await ensure()).toBe(true);
  });

  it('is what the tail is read by', async () => {
    await ensure();
    await ledger.rows(`insert into audit_events (id, occurred_at, action, request_id)
      select gen_random_uuid(), now(), 'GENERATION_DENIED', 'many' from generate_series(1, 5000)`);
    await ledger.rows('analyze audit_events');
    const after = { tx: '0', eventId: '00000000-0000-0000-0000-000000000000' };
    expect(await readAuditAfter(ledger.db, { after, limit: 5, restored: false })).toHaveLength(5);
    const plan = await ledger.rows<{ 'QUERY PLAN': string }>(
      `explain select id from audit_events
       where (tx, id) > ('5'::xid8, gen_random_uuid()) and tx < pg_snapshot_xmin(pg_current_snapshot())
       order by tx, id limit 500`,
    );
    expect(JSON.stringify(plan)).toContain('audit_events_by_tx');
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AuditSink } from '../../src/audit-sinks/audit-sink.ts';
import { type AuditSinks, startAuditSinks } from '../../src/audit-sinks/start.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { LOCKS } from '../../src/ledger/locks.ts';
import { openTestLedger, type TestLedger, type TestReplica } from '../support/ledger.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await openTestLedger();
});
afterAll(() => ledger.close());

const started: AuditSinks[] = [];
afterEach(async () => {
  for (const sinks of started.splice(0)) await sinks.stop();
});

/** Waits for what other tests on the same server hold up. */
const POLL = { timeout: 20_000, interval: 10 };

/** A sink that remembers what it got, and fails as long as it is told to. */
function remember(name = `sink-${randomUUID()}`, from: AuditSink['from'] = 'now') {
  const messages: (string | undefined)[] = [];
  const state = { fails: false, writes: 0 };
  const sink: AuditSink = {
    name,
    from,
    async write(events) {
      state.writes += 1;
      if (state.fails) throw new Error('status 503');
      messages.push(...events.map(({ message }) => message));
    },
  };
  return { name, sink, messages, state };
}

async function start(
  replica: TestReplica,
  ...given: AuditSink[] | [{ sinks: AuditSink[]; clock: Clock; silentMs: number }]
): Promise<AuditSinks> {
  const [first] = given;
  const { sinks, ...options } =
    first !== undefined && 'sinks' in first ? first : { sinks: given as AuditSink[], clock: systemClock };
  const running = await startAuditSinks({
    ...replica,
    plugins: [{}, { auditSinks: sinks }],
    log: { info: () => undefined, warn: () => undefined },
    takeOverMs: 100,
    ...options,
  });
  started.push(running);
  return running;
}

const append = (message: string) =>
  ledger.auditTrail.append({ action: 'GENERATION_DENIED', requestId: randomUUID(), message });
/** What a sink got of a test's own lines, each once, in the order of their first coming. */
const own = (messages: readonly (string | undefined)[], tag: string) => [
  ...new Set(messages.filter((message) => message?.startsWith(tag))),
];
const sequence = (tag: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${tag} ${index}`);

describe('startAuditSinks', () => {
  it('hands every line that is written from then on to every sink, in order', async () => {
    const [one, two] = [remember(), remember()];
    await start(ledger, one.sink, two.sink);
    const expected = sequence('every', 30);
    for (const message of expected) await append(message);
    for (const { messages } of [one, two]) {
      await expect.poll(() => own(messages, 'every'), POLL).toEqual(expected);
    }
  });

  it('hands over from the first line where the sink asks for it', async () => {
    await append('first of all');
    const { sink, messages } = remember(undefined, 'beginning');
    await start(ledger, sink);
    await expect.poll(() => messages, POLL).toContain('first of all');
  });

  it('goes on after a failure of a sink, and does not hold up the others', async () => {
    const [good, bad] = [remember(), remember()];
    bad.state.fails = true;
    await start(ledger, bad.sink, good.sink);
    await append('held up 0');
    await expect.poll(() => own(good.messages, 'held up'), POLL).toEqual(['held up 0']);
    await expect.poll(() => bad.state.writes, POLL).toBeGreaterThan(0);
    expect(bad.messages).toEqual([]);
    bad.state.fails = false;
    await append('held up 1');
    await expect.poll(() => own(bad.messages, 'held up'), POLL).toEqual(['held up 0', 'held up 1']);
  });

  it('goes on where it was, what was written while nobody ran included', async () => {
    const name = `sink-${randomUUID()}`;
    const before = remember(name);
    const first = await start(ledger, before.sink);
    await append('restart 0');
    await expect.poll(() => own(before.messages, 'restart'), POLL).toEqual(['restart 0']);
    await first.stop();
    await append('restart 1');
    const after = remember(name);
    await start(ledger, after.sink);
    await append('restart 2');
    await expect.poll(() => own(after.messages, 'restart'), POLL).toEqual(['restart 1', 'restart 2']);
  });

  it('hands over what is in the trail when it is told to stop', async () => {
    const { sink, messages, state } = remember();
    const sinks = await start(ledger, sink);
    await append('warm');
    await expect.poll(() => state.writes, POLL).toBeGreaterThan(0);
    const expected = sequence('last', 20);
    await Promise.all(expected.map(append));
    const open = `select 1 from audit_events where tx >= pg_snapshot_xmin(pg_current_snapshot())`;
    await expect.poll(() => ledger.rows(open), POLL).toEqual([]);
    await sinks.stop();
    expect(own(messages, 'last')).toEqual(expected);
  });

  it('stops in bounded time though a sink never answers', async () => {
    const writing = Promise.withResolvers<void>();
    const sinks = await startAuditSinks({
      ...ledger,
      plugins: [
        {
          auditSinks: [
            {
              name: `sink-${randomUUID()}`,
              write() {
                writing.resolve();
                return new Promise(() => {});
              },
            },
          ],
        },
      ],
      clock: systemClock,
      log: { info: () => undefined, warn: () => undefined },
      flushMs: 50,
    });
    await append('never answered');
    await writing.promise;
    await sinks.stop();
  });

  it('hands each line to one replica’s sink, and to the other’s when that one has stopped', async () => {
    const name = `sink-${randomUUID()}`;
    const other = await ledger.openReplica();
    const [one, two] = [remember(name), remember(name)];
    const first = await start(ledger, one.sink);
    await append('shared 0');
    await expect.poll(() => own(one.messages, 'shared'), POLL).toEqual(['shared 0']);
    await start(other, two.sink);
    await append('shared 1');
    await expect.poll(() => own(one.messages, 'shared'), POLL).toEqual(['shared 0', 'shared 1']);
    expect(two.messages).toEqual([]);
    await first.stop();
    await append('shared 2');
    await expect.poll(() => own(two.messages, 'shared'), POLL).toEqual(['shared 2']);
  });

  it('goes on when the connection that held the sink was lost', async () => {
    const { sink, messages } = remember();
    await start(ledger, sink);
    await append('lost 0');
    await expect.poll(() => own(messages, 'lost'), POLL).toEqual(['lost 0']);
    await ledger.rows(`select pg_terminate_backend(pid) from pg_locks
      where locktype = 'advisory' and classid = ${LOCKS.auditSinks} and database = (select oid from pg_database where datname = current_database())`);
    await append('lost 1');
    await expect.poll(() => own(messages, 'lost'), POLL).toEqual(['lost 0', 'lost 1']);
  });

  it('hands over to another replica when the one that held the sink is frozen', async () => {
    const name = `sink-${randomUUID()}`;
    const other = await ledger.openReplica();
    const [one, two] = [remember(name), remember(name)];
    let thawed = Promise.resolve();
    const clock: Clock = {
      ...systemClock,
      async sleep(delayMs, signal) {
        await thawed;
        await systemClock.sleep(delayMs, signal);
        await thawed;
      },
    };
    await start(ledger, { sinks: [one.sink], clock, silentMs: 300 });
    await append('frozen 0');
    await expect.poll(() => own(one.messages, 'frozen'), POLL).toEqual(['frozen 0']);
    const { promise, resolve } = Promise.withResolvers<void>();
    thawed = promise;
    await start(other, two.sink);
    await append('frozen 1');
    await expect.poll(() => own(two.messages, 'frozen'), POLL).toContain('frozen 1');
    resolve();
    await append('frozen 2');
    await expect.poll(() => own(two.messages, 'frozen'), POLL).toContain('frozen 2');
    expect(own(one.messages, 'frozen 2')).toEqual([]);
  });

  it('asks the database for nothing where there is no sink', async () => {
    const refusing = new Proxy(ledger.db, {
      get() {
        throw new Error('The database was asked.');
      },
    });
    const sinks = await startAuditSinks({
      db: refusing,
      notifications: ledger.notifications,
      plugins: [{ auditSinks: [] }, {}],
      clock: systemClock,
      log: { info: () => undefined, warn: () => undefined },
    });
    await sinks.stop();
  });
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createStaging, type Staging } from '../../src/images/staging.ts';
import { whileAlone } from '../../src/ledger/retention.ts';
import { type Retention, type RetentionOptions, startRetention } from '../../src/retention/retention.ts';
import { type CalendarClock, createCalendarClock, DAY_MS } from '../support/calendar-clock.ts';
import { openTestLedger, type TestLedger } from '../support/ledger.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let ledger: TestLedger;
let folder: string;
let staging: Staging;
let clock: CalendarClock;
let retention: Retention;
/** The blobs that were removed from the store. */
let deleted: string[];
let warnings: string[];
beforeAll(async () => {
  ledger = await openTestLedger();
  folder = await mkdtemp(join(tmpdir(), 'gesso-retention-'));
  staging = await createStaging({
    folder: join(folder, 'staging'),
    rejectedFolder: join(folder, 'rejected'),
  });
});
afterAll(async () => {
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  [clock, deleted, warnings] = [createCalendarClock(), [], []];
});
afterEach(async () => {
  await retention.stop();
  await ledger.rows('delete from generations');
});

function start(changes: Partial<RetentionOptions> = {}): void {
  retention = startRetention({
    db: ledger.db,
    store: { delete: async (blobKey) => void deleted.push(blobKey) },
    staging,
    renditions: { sweep: async () => ({ removed: 0 }) },
    keepMs: { images: DAY_MS, records: 10 * DAY_MS },
    keepStagedMs: DAY_MS,
    clock,
    log: { info: () => undefined, warn: (_fields, message) => void warnings.push(message) },
    ...changes,
  });
}
/** Resolves when a round is over, and the next is waited for. */
const rest = () => expect.poll(() => clock.waiting).toBe(1);

/** Images that were made so long ago. */
async function makeImages(count: number, ageMs = 0): Promise<void> {
  await ledger.rows(
    `with made as (
      insert into generations (id, client_id, request_id, status, prompt, size, delivery, ordinal, fingerprint,
        key_held, created_at, finished_at)
      select id, $2, 'r', 'SUCCEEDED', 'p', '1024x1024', 'AT_LEAST_ONCE', 0, 'f', false, $3, $3
      from unnest($1::uuid[]) as id
    )
    insert into images (id, generation_id, client_id, attempt_id, blob_key, width, height, byte_size, sha256, created_at)
    select id, id, $2, id, id || '.png', 1, 1, 1, 'f', $3 from unnest($1::uuid[]) as id`,
    [
      Array.from({ length: count }, () => randomUUID()),
      ledger.clientId,
      new Date(clock.now().getTime() - ageMs),
    ],
  );
}
const removed = async () => (await ledger.rows('select 1 from images where removed_at is not null')).length;

/** A file of that age among the rejected ones. */
async function reject(name: string, ageMs: number): Promise<void> {
  const path = join(folder, 'rejected', name);
  await writeFile(path, 'no picture');
  const writtenAt = new Date(clock.now().getTime() - ageMs);
  await utimes(path, writtenAt, writtenAt);
}
const rejected = () => readdir(join(folder, 'rejected'));

describe('retention', () => {
  it('begins at once, and looks again every hour', async () => {
    await makeImages(1, 2 * DAY_MS);
    await makeImages(1, DAY_MS - MINUTE_MS);
    start();
    await rest();
    expect(await removed()).toBe(1);
    clock.jump(HOUR_MS - MINUTE_MS);
    await rest();
    expect(await removed()).toBe(1);
    clock.jump(MINUTE_MS);
    await expect.poll(removed).toBe(2);
  });

  it('goes on after a minute where an hour’s work was too much for one round', async () => {
    await makeImages(30, 2 * DAY_MS);
    const slow = async (blobKey: string) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      deleted.push(blobKey);
    };
    start({ store: { delete: slow }, maxMs: 150 });
    await rest();
    const first = await removed();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(30);
    clock.jump(MINUTE_MS);
    await expect.poll(removed).toBeGreaterThan(first);
  });

  it('does nothing where everything is kept for ever', async () => {
    await makeImages(1, 10_000 * DAY_MS);
    await reject('old.bin', 10_000 * DAY_MS);
    start({ keepMs: { images: undefined, records: undefined } });
    await retention.stop();
    expect(clock.waiting).toBe(0);
    expect(deleted).toEqual([]);
    expect(await rejected()).toEqual(['old.bin']);
  });

  it('leaves the ledger and the store to the replica that is at it, and sees to its own disk', async () => {
    await makeImages(1, 2 * DAY_MS);
    await reject('old.bin', 11 * DAY_MS);
    await reject('new.bin', 9 * DAY_MS);
    await whileAlone(ledger.db, async () => {
      start();
      await rest();
    });
    expect(deleted).toEqual([]);
    expect(await rejected()).toEqual(['new.bin']);
    clock.jump(HOUR_MS);
    await expect.poll(removed).toBe(1);
  });

  it('keeps what is rejected where records are kept for ever', async () => {
    await reject('old.bin', 10_000 * DAY_MS);
    start({ keepMs: { images: DAY_MS, records: undefined } });
    await rest();
    expect(await rejected()).toContain('old.bin');
  });

  it('does the rest though a part fails, says so, and tries that again', async () => {
    await makeImages(1, 2 * DAY_MS);
    let isBroken = true;
    const sweep = async () => {
      if (isBroken) throw new Error('no such folder');
      return { removed: 0 };
    };
    start({ renditions: { sweep } });
    await rest();
    expect(await removed()).toBe(1);
    expect(warnings).toEqual(['sweeping renditions failed; tried again later']);
    isBroken = false;
    clock.jump(HOUR_MS);
    await rest();
    expect(warnings).toHaveLength(1);
  });

  it('stops while the store hangs', async () => {
    await makeImages(1, 2 * DAY_MS);
    const asked = Promise.withResolvers<void>();
    const hang = () => {
      asked.resolve();
      return new Promise<never>(() => undefined);
    };
    start({ store: { delete: hang } });
    await asked.promise;
    await retention.stop();
    expect(await removed()).toBe(0);
    expect(warnings).toEqual([]);
    expect(await whileAlone(ledger.db, async () => 'alone')).toBe('alone');
  });
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import type { Attempt, Generation } from '../../src/generation.ts';
import { blobKeyOf } from '../../src/images/blob-key.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import { createFileStore } from '../../src/images/file-store.ts';
import { createStaging, type Staging } from '../../src/images/staging.ts';
import type { Claim } from '../../src/ledger/claims.ts';
import type { Database } from '../../src/ledger/database.ts';
import {
  agedGenerations,
  agedImages,
  noteImagesRemoved,
  removeGenerations,
  whileAlone,
} from '../../src/ledger/retention.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { FailedEnding } from '../../src/ledger/runs.ts';
import { type RemovalOptions, removeAged } from '../../src/retention/removal.ts';
import { newAttempt, openTestLedger, success, type TestLedger, type TestReplica } from '../support/ledger.ts';
import { createManualClock } from '../support/manual-clock.ts';

const DAY_MS = 24 * 3600 * 1000;
const clock = createManualClock({ hurried: true });
const { signal } = new AbortController();
let ledger: TestLedger;
let second: TestReplica;
let folder: string;
let store: BlobStore;
let staging: Staging;
beforeAll(async () => {
  ledger = await openTestLedger({ clock });
  second = await ledger.openReplica();
  folder = await mkdtemp(join(tmpdir(), 'gesso-retention-'));
  store = await createFileStore({ folder: join(folder, 'images') });
  staging = await createStaging({
    folder: join(folder, 'staging'),
    rejectedFolder: join(folder, 'rejected'),
  });
  await writeFile(join(folder, 'picture.png'), 'the bytes');
});
afterAll(async () => {
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  // What one test leaves is not too old for the next.
  await ledger.rows('delete from generations');
  await ledger.rows('delete from quota_usage');
});

const refused: { error: unknown; records: number }[] = [];
const optionsWith = (changes: Partial<RemovalOptions> = {}): RemovalOptions => ({
  store,
  staging,
  keepMs: { images: 7 * DAY_MS, records: 30 * DAY_MS },
  clock,
  signal,
  onRefused: (error, records) => refused.push({ error, records }),
  ...changes,
});
const remove = (changes?: Partial<RemovalOptions>) => removeAged(ledger.db, optionsWith(changes));
const passDays = (days: number) => clock.advance(days * DAY_MS);

async function begin(run: Run, changes: Partial<Attempt> = {}): Promise<Attempt> {
  const attempt = newAttempt(run, changes);
  await ledger.attemptLog.begin(run, attempt, signal);
  return attempt;
}
const put = (blobKey: string) =>
  store.putFile(blobKey, join(folder, 'picture.png'), { contentType: 'image/png' });

/** A generation that ended just now, with an image in the store. */
async function makeImage(changes: Partial<Claim> = {}) {
  const run = await ledger.run(changes);
  const attempt = await begin(run);
  const blobKey = blobKeyOf(attempt.id);
  await put(blobKey);
  const ending = success(attempt);
  const { generation } = await ledger.runs.finish(run, { ...ending, image: { ...ending.image, blobKey } });
  return { id: generation.id, generation, attempt, blobKey };
}

/** One that ended just now without one. */
async function makeFailure(
  changes: Partial<Claim> = {},
  ending: Partial<FailedEnding> = {},
): Promise<Generation> {
  const run = await ledger.run(changes);
  const { generation } = await ledger.runs.finish(run, {
    status: 'FAILED',
    failure: {
      code: 'PROVIDER_UNAVAILABLE',
      message: 'busy',
      providerCode: undefined,
      retryable: true,
      retryAfterSeconds: undefined,
    },
    keyHeld: false,
    refund: true,
    attempt: undefined,
    ...ending,
  });
  return generation;
}

const isStored = async (blobKey: string) => (await store.stat(blobKey)) !== undefined;
const onRecord = async (): Promise<string[]> =>
  (await ledger.rows<{ id: string }>('select id from generations order by id')).map(({ id }) => id);
const imageOf = async (generationId: string) =>
  (
    await ledger.rows<{ removed_at: Date | null }>('select * from images where generation_id = $1', [
      generationId,
    ])
  )[0];
const linesOf = (generationId: string, action: string) =>
  ledger.rows<{ message: string; request_id: string; client_id: string; occurred_at: Date }>(
    'select * from audit_events where generation_id = $1 and action = $2',
    [generationId, action],
  );
const actionsOf = async (generationId: string): Promise<string[]> =>
  (
    await ledger.rows<{ action: string }>(
      'select action from audit_events where generation_id = $1 order by id',
      [generationId],
    )
  ).map(({ action }) => action);

describe('removing what is too old', () => {
  it('leaves everything that is not', async () => {
    const { id, blobKey } = await makeImage();
    const failed = await makeFailure();
    await clock.advance(7 * DAY_MS - 1_000);
    expect(await remove()).toEqual({ generations: 0, images: 0, complete: true });
    expect(await isStored(blobKey)).toBe(true);
    expect(await imageOf(id)).toMatchObject({ removed_at: null });
    expect(await onRecord()).toEqual([id, failed.id]);
  });

  it('leaves everything that it is told to keep for ever', async () => {
    const { id, blobKey } = await makeImage();
    await passDays(10_000);
    await remove({ keepMs: { images: undefined, records: undefined } });
    expect(await isStored(blobKey)).toBe(true);
    expect(await onRecord()).toEqual([id]);
  });

  it('leaves what has not ended, however old it is', async () => {
    const queued = await ledger.generation();
    const { generation: running } = await ledger.run();
    await passDays(10_000);
    expect(await remove()).toMatchObject({ generations: 0 });
    expect(await onRecord()).toEqual([queued.id, running.id]);
  });

  it('removes the counts of the quota of long ago, and no later ones', async () => {
    const apiKeyId = randomUUID();
    const limited = { apiKeyId, imagesPerDay: 5 };
    await ledger.generation(limited);
    await passDays(40);
    await ledger.generation(limited);
    const days = () => ledger.rows('select used from quota_usage where api_key_id = $1', [apiKeyId]);
    await remove();
    expect(await days()).toHaveLength(2);
    await passDays(1);
    await remove();
    expect(await days()).toHaveLength(1);
  });
});

describe('an image that is too old', () => {
  it('goes with its bytes and what is staged of it; its row stays, and says when', async () => {
    const { id, blobKey, attempt } = await makeImage();
    for (const name of [`${attempt.id}.png`, `${attempt.id}.json`]) {
      await writeFile(join(folder, 'staging', name), 'left behind');
    }
    await passDays(8);
    expect(await remove()).toEqual({ generations: 0, images: 1, complete: true });
    expect(await isStored(blobKey)).toBe(false);
    expect(await staging.sweep({ olderThanMs: -DAY_MS })).toEqual({ removed: 0 });
    expect(await imageOf(id)).toMatchObject({ removed_at: clock.now(), byte_size: 1234 });
    expect(await onRecord()).toEqual([id]);
  });

  it('is told of in the audit trail, once', async () => {
    const { id, generation } = await makeImage({ requestId: 'request-of-the-image' });
    const madeAt = clock.now().toISOString();
    await passDays(8);
    await remove();
    await passDays(1);
    expect(await remove()).toMatchObject({ images: 0 });
    expect(await linesOf(id, 'IMAGE_REMOVED')).toMatchObject([
      {
        client_id: generation.clientId,
        request_id: 'request-of-the-image',
        message: `64×48, 1234 bytes, made ${madeAt}; SHA-256 ${'f'.repeat(64)}.`,
      },
    ]);
  });

  it('frees the key of its generation', async () => {
    const idempotencyKey = randomUUID();
    const { id } = await makeImage({ idempotencyKey });
    const claim = () => ledger.claims.claim(ledger.claimOf({ idempotencyKey }));
    expect(await claim()).toMatchObject({ kind: 'held', generation: { id } });
    await passDays(8);
    await remove();
    expect(await claim()).toMatchObject({ kind: 'claimed' });
  });
});

describe('a generation that is too old', () => {
  it('goes with its image, its attempts and its webhooks; its audit lines stay', async () => {
    const { id, generation, blobKey } = await makeImage({ requestId: 'request-of-the-generation' });
    await ledger.rows(
      `insert into webhooks (id, generation_id, client_id, url, created_at)
      values ($1, $2, $3, 'https://hooks.example.com/', now())`,
      [randomUUID(), id, generation.clientId],
    );
    const endedAt = clock.now().toISOString();
    await passDays(31);
    expect(await remove()).toEqual({ generations: 1, images: 0, complete: true });
    expect(await isStored(blobKey)).toBe(false);
    const left = await ledger.rows(
      `select id from generations where id = $1 union all select id from attempts where generation_id = $1
      union all select id from images where generation_id = $1
      union all select id from webhooks where generation_id = $1`,
      [id],
    );
    expect(left).toEqual([]);
    expect(await actionsOf(id)).toEqual([
      'GENERATION_REQUESTED',
      'ATTEMPT_STARTED',
      'ATTEMPT_FINISHED',
      'GENERATION_SUCCEEDED',
      'GENERATION_REMOVED',
    ]);
    expect(await linesOf(id, 'GENERATION_REMOVED')).toMatchObject([
      {
        client_id: generation.clientId,
        request_id: 'request-of-the-generation',
        message: `SUCCEEDED since ${endedAt}. Its image had the SHA-256 ${'f'.repeat(64)}.`,
      },
    ]);
  });

  it('goes with the key that it held, also where the outcome of its call is unknown', async () => {
    const idempotencyKey = randomUUID();
    const unknown = { status: 'UNKNOWN', keyHeld: true, refund: false } as const;
    const { id } = await makeFailure({ idempotencyKey, delivery: 'AT_MOST_ONCE' }, unknown);
    const claim = () => ledger.claims.claim(ledger.claimOf({ idempotencyKey, delivery: 'AT_MOST_ONCE' }));
    await passDays(29);
    await remove();
    expect(await claim()).toMatchObject({ kind: 'held', generation: { id } });
    await passDays(2);
    await remove();
    expect(await claim()).toMatchObject({ kind: 'claimed' });
  });

  it('counts from its end, not from when it was asked for', async () => {
    const run = await ledger.run();
    await passDays(31);
    await ledger.runs.finish(run, success(await begin(run)));
    expect(await remove()).toMatchObject({ generations: 0 });
    expect(await onRecord()).toEqual([run.generation.id]);
  });

  it('takes along what a replica had stored for an attempt that it had lost', async () => {
    const run = await ledger.run();
    const lost = await begin(run);
    const ending = {
      outcome: 'UNKNOWN',
      httpStatus: undefined,
      errorCode: 'CUT_OFF',
      rejection: undefined,
    } as const;
    await ledger.attemptLog.fail(run, lost, ending);
    const attempt = await begin(run, { number: 2 });
    await ledger.runs.finish(run, success(attempt));
    await put(blobKeyOf(lost.id));
    await passDays(31);
    await remove();
    expect(await isStored(blobKeyOf(lost.id))).toBe(false);
  });
});

describe('a store that fails', () => {
  afterEach(() => refused.splice(0));

  /** A store that removes none of these. */
  const refusing = (...blobKeys: string[]): RemovalOptions['store'] => ({
    async delete(blobKey) {
      if (blobKeys.includes(blobKey)) throw new StorageError('Could not remove the image (EIO).');
      await store.delete(blobKey);
    },
  });

  it('keeps the record of each picture that it does not remove; the others go', async () => {
    const [stays, goes] = [await makeImage(), await makeImage()];
    const failed = await makeFailure();
    await passDays(31);
    expect(await remove({ store: refusing(stays.blobKey) })).toMatchObject({
      generations: 2,
      complete: true,
    });
    expect(await onRecord()).toEqual([stays.id]);
    expect(await isStored(stays.blobKey)).toBe(true);
    expect(await isStored(goes.blobKey)).toBe(false);
    expect(await actionsOf(stays.id)).not.toContain('GENERATION_REMOVED');
    expect(await actionsOf(failed.id)).toContain('GENERATION_REMOVED');
    // Met as a record, and again as an image.
    expect(refused).toEqual([
      { error: expect.any(StorageError), records: 1 },
      { error: expect.any(StorageError), records: 1 },
    ]);
    expect(await remove()).toMatchObject({ generations: 1 });
    expect(await onRecord()).toEqual([]);
  });

  it('holds up no later batch', async () => {
    const first = await makeImage();
    for (let more = 0; more < 4; more += 1) await makeImage();
    await passDays(8);
    const removed = await remove({ store: refusing(first.blobKey), batchSize: 1 });
    expect(removed).toEqual({ generations: 0, images: 4, complete: true });
    expect(await imageOf(first.id)).toMatchObject({ removed_at: null });
  });

  it('that hangs is not waited for when the gateway stops; what it has removed is noted', async () => {
    const [gone, hanging] = [await makeImage(), await makeImage()];
    await passDays(8);
    const stopping = new AbortController();
    const asked = Promise.withResolvers<void>();
    const removing = remove({
      signal: stopping.signal,
      store: {
        async delete(blobKey) {
          if (blobKey !== hanging.blobKey) return store.delete(blobKey);
          asked.resolve();
          return new Promise(() => undefined);
        },
      },
    });
    await asked.promise;
    await expect.poll(() => isStored(gone.blobKey)).toBe(false);
    stopping.abort();
    expect(await removing).toEqual({ generations: 0, images: 1, complete: false });
    expect(await imageOf(hanging.id)).toMatchObject({ removed_at: null });
    expect(refused).toEqual([]);
  });
});

describe('a crash between the bytes and the rows', () => {
  /** Lets the ledger refuse while the work is under way. */
  async function refusing(statement: string, table: string, work: () => Promise<void>): Promise<void> {
    await ledger.rows(`create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'the ledger was killed'; end $$`);
    await ledger.rows(`create trigger refuse before ${statement} on ${table} execute function refuse()`);
    await work();
    await ledger.rows('drop function refuse cascade');
  }

  it.each([
    { what: 'an image', days: 8, statement: 'update', table: 'images', action: 'IMAGE_REMOVED' },
    {
      what: 'a generation',
      days: 31,
      statement: 'delete',
      table: 'generations',
      action: 'GENERATION_REMOVED',
    },
  ])('is repaired by the next run: $what', async ({ days, statement, table, action }) => {
    const { id, blobKey } = await makeImage();
    await passDays(days);
    await refusing(statement, table, async () => {
      await expect(remove()).rejects.toThrow('the ledger was killed');
    });
    expect(await isStored(blobKey)).toBe(false);
    expect(await onRecord()).toEqual([id]);
    expect(await linesOf(id, action)).toEqual([]);
    const { generations, images } = await remove();
    expect(generations + images).toBe(1);
    expect(await linesOf(id, action)).toHaveLength(1);
  });
});

describe('time', () => {
  it('ends a run that takes too long, and the next one goes on', async () => {
    for (let images = 0; images < 3; images += 1) await makeImage();
    await passDays(8);
    expect(await remove({ maxMs: 0 })).toEqual({ generations: 0, images: 0, complete: false });
    // The first batch takes longer than there is time for.
    const slow: RemovalOptions['store'] = {
      async delete(blobKey) {
        await new Promise((resolve) => setTimeout(resolve, 30));
        await store.delete(blobKey);
      },
    };
    const begun = await remove({ store: slow, batchSize: 1, maxMs: 20 });
    expect(begun).toEqual({ generations: 0, images: 1, complete: false });
    expect(await remove()).toEqual({ generations: 0, images: 2, complete: true });
  });

  it('is left to others after every batch, as much as the batch took', async () => {
    for (let images = 0; images < 3; images += 1) await makeImage();
    await passDays(8);
    const before = clock.waitsMs.length;
    const startedAt = performance.now();
    await remove({ batchSize: 1 });
    const tookMs = performance.now() - startedAt;
    const waitsMs = clock.waitsMs.slice(before);
    expect(waitsMs).toHaveLength(3);
    const waitedMs = waitsMs.reduce((sum, waitMs) => sum + waitMs, 0);
    expect(waitedMs).toBeGreaterThan(0);
    expect(waitedMs).toBeLessThanOrEqual(tookMs);
  });
});

describe('two replicas at once', () => {
  it('remove each thing once, even if the lock did not keep them apart', async () => {
    const images = [];
    for (let made = 0; made < 12; made += 1) images.push(await makeImage());
    await passDays(8);
    const options = optionsWith({ batchSize: 4 });
    const both = [removeAged(ledger.db, options), removeAged(second.db, options)];
    const [one, other] = await Promise.all(both);
    expect((one?.images ?? 0) + (other?.images ?? 0)).toBe(12);
    for (const { id } of images) expect(await linesOf(id, 'IMAGE_REMOVED')).toHaveLength(1);

    await passDays(31);
    const again = await Promise.all([removeAged(ledger.db, options), removeAged(second.db, options)]);
    expect(again.reduce((sum, { generations }) => sum + generations, 0)).toBe(12);
    for (const { id } of images) expect(await linesOf(id, 'GENERATION_REMOVED')).toHaveLength(1);
  });

  it('that found the same things note and remove each of them once', async () => {
    for (let made = 0; made < 5; made += 1) await makeImage();
    await passDays(31);
    const slice = { before: clock.now(), after: undefined, limit: 100 };
    const images = await agedImages(ledger.db, slice);
    const generations = await agedGenerations(ledger.db, slice);
    const ids = generations.map(({ id }) => id);
    const lines = async (action: string) =>
      (await Promise.all(ids.map((id) => linesOf(id, action)))).map(({ length }) => length);
    const once = [1, 1, 1, 1, 1];

    expect(await contend((db) => noteImagesRemoved(db, images, clock.now()))).toEqual([5, 0]);
    expect(await noteImagesRemoved(second.db, images, clock.now())).toBe(0);
    expect(await lines('IMAGE_REMOVED')).toEqual(once);

    expect(await contend((db) => removeGenerations(db, generations, clock.now()))).toEqual([5, 0]);
    expect(await noteImagesRemoved(second.db, images, clock.now())).toBe(0);
    expect(await lines('GENERATION_REMOVED')).toEqual(once);
  });

  /** Lets the second replica meet the locks of the first, and then what it has written; returns both answers. */
  async function contend(write: (db: Database) => Promise<number>): Promise<[number, number]> {
    const { first, waiting } = await ledger.db.transaction().execute(async (transaction) => {
      const first = await write(transaction);
      const waiting = write(second.db);
      await blocked();
      return { first, waiting };
    });
    return [first, await waiting];
  }

  /** Resolves when a statement waits for another's locks. */
  const blocked = () =>
    expect
      .poll(() =>
        ledger.rows(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        ),
      )
      .toHaveLength(1);

  it('are kept apart: one works, the other does not wait', async () => {
    const [begun, ending] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const first = whileAlone(ledger.db, async () => {
      begun.resolve();
      await ending.promise;
      return 'done';
    });
    await begun.promise;
    expect(await whileAlone(second.db, async () => 'alone')).toBeUndefined();
    ending.resolve();
    expect(await first).toBe('done');
    expect(await whileAlone(second.db, async () => 'alone')).toBe('alone');
  });

  it('can take turns though the work failed', async () => {
    const failing = whileAlone(ledger.db, () => Promise.reject(new Error('in the middle')));
    await expect(failing).rejects.toThrow('in the middle');
    expect(await whileAlone(second.db, async () => 'alone')).toBe('alone');
  });
});

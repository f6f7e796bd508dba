import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blobKeyOf } from '../../src/images/blob-key.ts';
import { createCalendarClock, DAY_MS } from '../support/calendar-clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { codesOf } from '../support/edge.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

const KEPT = { GESSO_KEEP_IMAGES_DAYS: '7', GESSO_KEEP_RECORDS_DAYS: '30' };

const clock = createCalendarClock();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ environment: KEPT, clock });
});
afterAll(() => gateway.close());

/** Lets time pass when every gateway of these has come to the end of its round, and so begins another. */
async function pass(byMs: number, gateways = 1): Promise<void> {
  await vi.waitFor(() => expect(clock.waiting).toBe(gateways), { timeout: 10_000 });
  clock.jump(byMs);
}

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);
/** The row's own id. */
const plain = (globalId: string | undefined): string =>
  Buffer.from(globalId ?? '', 'base64')
    .toString()
    .split(':')[1] ?? '';
const actionsOf = async (generationId: string): Promise<string[]> => {
  const text = 'select action from audit_events where generation_id = $1 order by id';
  return (await gateway.sql<{ action: string }>(text, [generationId])).map(({ action }) => action);
};
const madeWith = async (input: object) => {
  const { image, generation } = await gateway.generateImage(input);
  return { imageId: image?.id ?? '', generationId: generation?.id ?? '', id: plain(generation?.id) };
};
const goes = (generationId: string, action: string) =>
  vi.waitFor(async () => expect(await actionsOf(generationId)).toContain(action), { timeout: 10_000 });

describe('an image that is too old', () => {
  const input = { prompt: 'kept for a week', idempotencyKey: freshKey() };
  let made: Awaited<ReturnType<typeof madeWith>>;
  const ask = (fields: string) =>
    gateway.send(`query ($id: ID!) { image(id: $id) { ${fields} } }`, { id: made.imageId });
  const urls = async (): Promise<string[]> => {
    const { body } = await ask('url rendition(transform: { maxWidth: 16, format: WEBP }) { url }');
    return [body.data.image.url, body.data.image.rendition.url];
  };
  beforeAll(async () => {
    made = await madeWith(input);
    for (const url of await urls()) expect((await fetch(url)).status).toBe(200);
    await pass(6 * DAY_MS);
    expect(await gateway.generateImage(input)).toMatchObject({ replayed: true });
    expect((await ask('removedAt')).body.data.image.removedAt).toBeNull();
    await pass(2 * DAY_MS);
    await goes(made.id, 'IMAGE_REMOVED');
  });

  it('is served no more, nor is any rendition of it, and its record says since when', async () => {
    const { body } = await ask('removedAt width height sha256 thumbhash generation { status }');
    expect(body.errors).toBeUndefined();
    expect(body.data.image).toMatchObject({
      removedAt: expect.stringMatching(/Z$/),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      generation: { status: 'SUCCEEDED' },
    });
    for (const url of await urls()) {
      const answer = await fetch(url);
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ error: { code: 'IMAGE_NOT_FOUND' } });
    }
  });

  it('has no base64, and says why', async () => {
    const answer = await ask('base64');
    expect(codesOf(answer)).toEqual(['NOT_FOUND']);
    expect(answer.body.errors?.[0]?.message).toContain('removed by age');
  });

  it('leaves its line in the audit trail, of a generation that is still there', async () => {
    const { body } = await gateway.send(
      `query ($id: ID!) { auditEvents(filter: { generationId: $id, actions: [IMAGE_REMOVED] }) {
        edges { node { action generation { id } } }
      } }`,
      { id: made.generationId },
    );
    const node = { action: 'IMAGE_REMOVED', generation: { id: made.generationId } };
    expect(body).toEqual({ data: { auditEvents: { edges: [{ node }] } } });
  });

  it('is made anew when its key comes again, though the cache knew the old one', async () => {
    const again = await gateway.generateImage(input);
    expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(again.image?.id).not.toBe(made.imageId);
    expect((await fetch(again.image?.url ?? '')).status).toBe(200);
    expect(callsFor(input.prompt)).toHaveLength(2);
  });
});

describe('a generation that is too old', () => {
  it('is gone for every query, and its audit lines stay', async () => {
    const input = { prompt: 'kept for a month', idempotencyKey: freshKey() };
    const { id, generationId, imageId } = await madeWith(input);
    await pass(31 * DAY_MS);
    await goes(id, 'GENERATION_REMOVED');
    const { body } = await gateway.send(
      `query ($generation: ID!, $image: ID!) {
        generation(id: $generation) { id }
        image(id: $image) { id }
        node(id: $generation) { id }
        nodes(ids: [$generation, $image]) { id }
        auditEvents(filter: { generationId: $generation }) {
          edges { node { action client { id } generation { id } attempt { number } } }
        }
      }`,
      { generation: generationId, image: imageId },
    );
    expect(body.errors).toBeUndefined();
    const { auditEvents, ...others } = body.data;
    expect(others).toEqual({ generation: null, image: null, node: null, nodes: [null, null] });
    const lines = auditEvents.edges.map(({ node }: { node: object }) => node);
    expect(lines).toHaveLength(5);
    for (const line of lines) {
      expect(line).toMatchObject({ client: { id: expect.any(String) }, generation: null, attempt: null });
    }
    const again = await gateway.generateImage(input);
    expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(callsFor(input.prompt)).toHaveLength(2);
  });
});

describe('what can not be removed', () => {
  const logged = (message: string) => gateway.logLines.filter((line) => line.includes(message)).length;

  it('is tried again an hour later, and keeps its record until then: the store', async () => {
    const { id } = await madeWith({ prompt: 'on a disk that fails' });
    const folder = join(gateway.dataDir, 'images');
    const refused = logged('pictures could not be removed');
    // A folder that is not empty in the place of each file: no permission could keep root from removing.
    const [{ blob_key: blobKey } = { blob_key: '' }] = await gateway.sql<{ blob_key: string }>(
      'select blob_key from images where generation_id = $1',
      [id],
    );
    const path = join(folder, blobKey);
    await rename(path, `${path}.aside`);
    await mkdir(join(path, 'full'), { recursive: true });
    await pass(31 * DAY_MS);
    await expect
      .poll(() => logged('pictures could not be removed'), { timeout: 10_000 })
      .toBeGreaterThan(refused);
    expect(await gateway.sql('select 1 from generations where id = $1', [id])).toHaveLength(1);
    await rm(path, { recursive: true });
    await rename(`${path}.aside`, path);
    await pass(3_600_000);
    await goes(id, 'GENERATION_REMOVED');
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('is tried again an hour later, after the bytes had gone: the ledger', async () => {
    const { id, imageId } = await madeWith({ prompt: 'killed in between' });
    await gateway.sql(`create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'the ledger was killed'; end $$`);
    await gateway.sql('create trigger refuse before update on images execute function refuse()');
    await pass(8 * DAY_MS);
    await expect.poll(() => logged('the ledger was killed'), { timeout: 10_000 }).toBeGreaterThan(0);
    const query = 'query ($id: ID!) { image(id: $id) { url removedAt } }';
    const { body } = await gateway.send(query, { id: imageId });
    expect(body.data.image.removedAt).toBeNull();
    expect((await fetch(body.data.image.url)).status).toBe(404);
    await gateway.sql('drop function refuse cascade');
    await pass(3_600_000);
    await goes(id, 'IMAGE_REMOVED');
    expect(await actionsOf(id)).toHaveLength(5);
  });
});

describe('a restart', () => {
  it('begins with what is too old, rather than wait another hour', async () => {
    const { id } = await madeWith({ prompt: 'before the restart' });
    const restarting = gateway.restart();
    clock.jump(31 * DAY_MS);
    await restarting;
    await goes(id, 'GENERATION_REMOVED');
  });
});

describe('what was kept aside for the operator', () => {
  it('goes at the age of records, and not before', async () => {
    gateway.sandbox.behave({ kind: 'broken-picture', fault: 'cut' });
    const refused = await gateway.generateImage({ prompt: 'no picture', delivery: 'AT_MOST_ONCE' });
    expect(refused.__typename).toBe('InvalidImageError');
    const kept = () => readdir(join(gateway.dataDir, 'rejected'));
    expect(await kept()).toHaveLength(1);
    // The disk's own clock knows of no jumps.
    for (const name of await kept()) {
      await utimes(join(gateway.dataDir, 'rejected', name), clock.now(), clock.now());
    }
    const { id } = await madeWith({ prompt: 'shows that a round is over' });
    await pass(8 * DAY_MS);
    await goes(id, 'IMAGE_REMOVED');
    expect(await kept()).toHaveLength(1);
    await pass(23 * DAY_MS);
    await expect.poll(kept, { timeout: 10_000 }).toEqual([]);
  });
});

describe('two thousand generations that are too old', () => {
  const MANY = 2_000;

  /** As many as that, with attempts, images and their files, all ended an hour ago. */
  async function fill(): Promise<string[]> {
    const attemptIds = Array.from({ length: MANY }, () => randomUUID());
    const blobKeys = attemptIds.map(blobKeyOf);
    const pathOf = (blobKey: string) => join(gateway.dataDir, 'images', blobKey);
    for (const folder of new Set(blobKeys.map((blobKey) => dirname(pathOf(blobKey))))) {
      await mkdir(folder, { recursive: true });
    }
    for (const blobKey of blobKeys) await writeFile(pathOf(blobKey), 'a picture');
    const at = new Date(clock.now().getTime() - 3_600_000);
    const [client] = await gateway.sql<{ id: string }>('select id from clients limit 1');
    await gateway.sql(
      `with made as (
        insert into generations (id, client_id, request_id, status, prompt, size, delivery, provider, ordinal,
          fingerprint, key_held, created_at, finished_at)
        select a, $2, 'request-of-many', 'SUCCEEDED', 'one of many', '1024x1024', 'AT_LEAST_ONCE', 'bettertoken', 0,
          'f', false, $3, $3
        from unnest($1::uuid[]) as a
      ), tried as (
        insert into attempts (id, generation_id, number, request_id, provider, outcome, started_at, finished_at)
        select a, a, 1, 'r', 'bettertoken', 'SUCCEEDED', $3, $3 from unnest($1::uuid[]) as a
      )
      insert into images (id, generation_id, client_id, attempt_id, blob_key, width, height, byte_size, sha256, created_at)
      select a, a, $2, a, blob_key, 1, 1, 9, 'f', $3 from unnest($1::uuid[], $4::text[]) as i (a, blob_key)`,
      [attemptIds, client?.id, at, blobKeys],
    );
    return blobKeys.map(pathOf);
  }

  it('go in bounded time, each with one line, while generating goes on', { timeout: 90_000 }, async () => {
    const paths = await fill();
    const left = async () =>
      (await gateway.sql("select 1 from generations where request_id = 'request-of-many'")).length;
    const slowestMs = { before: 0, meanwhile: 0 };
    async function generate(phase: keyof typeof slowestMs) {
      const startedAt = performance.now();
      const { __typename } = await gateway.generateImage({ prompt: 'meanwhile' });
      slowestMs[phase] = Math.max(slowestMs[phase], performance.now() - startedAt);
      expect(__typename).toBe('GenerateImageSuccess');
    }
    const four = (phase: keyof typeof slowestMs) =>
      Promise.all(Array.from({ length: 4 }, () => generate(phase)));
    for (let times = 0; times < 10; times += 1) await four('before');
    await pass(31 * DAY_MS);
    const startedAt = performance.now();
    while ((await left()) > 0 && performance.now() - startedAt < 30_000) {
      await four('meanwhile');
    }
    expect(await left()).toBe(0);
    expect(slowestMs.meanwhile).toBeLessThan(slowestMs.before + 2_000);
    const files = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
    expect(files.filter((file) => file !== undefined)).toEqual([]);
    const lines = `select count(*)::integer as lines, count(distinct generation_id)::integer as generations
      from audit_events where action = 'GENERATION_REMOVED' and request_id = 'request-of-many'`;
    expect(await gateway.sql(lines)).toEqual([{ lines: MANY, generations: MANY }]);
  });
});

describe('two replicas', () => {
  let database: TestDatabase;
  let storage: string;
  let replicas: TestGateway[];
  beforeAll(async () => {
    database = await createTestDatabase();
    storage = await mkdtemp(join(tmpdir(), 'gesso-shared-'));
    const environment = { ...KEPT, DATABASE_URL: database.url, GESSO_STORAGE_URL: storage };
    replicas = [
      await startTestGateway({ environment, clock }),
      await startTestGateway({ environment, clock }),
    ];
  });
  afterAll(async () => {
    for (const replica of replicas) await replica.close();
    await database.drop();
    await rm(storage, { recursive: true, force: true });
  });

  it('whose hour comes at the same moment remove each thing once', async () => {
    const [first] = replicas;
    const made = await Promise.all(
      replicas.flatMap((replica) =>
        Array.from({ length: 20 }, () => replica.generateImage({ prompt: 'of two' })),
      ),
    );
    const ids = made.map(({ generation }) => plain(generation?.id));
    const linesOf = async (action: string): Promise<number[]> => {
      const text = `select count(*)::integer as lines from audit_events
        where action = $1 and generation_id = any($2::uuid[]) group by generation_id`;
      const rows = await replicaSql(text, [action, ids]);
      return rows.map(({ lines }) => lines);
    };
    const once = ids.map(() => 1);
    await pass(8 * DAY_MS, 3);
    await expect.poll(() => linesOf('IMAGE_REMOVED'), { timeout: 10_000 }).toEqual(once);
    await pass(23 * DAY_MS, 3);
    await expect.poll(() => linesOf('GENERATION_REMOVED'), { timeout: 10_000 }).toEqual(once);
    expect(await linesOf('IMAGE_REMOVED')).toEqual(once);
    const answer = await first?.send('{ generations(first: 50) { edges { cursor } } }');
    expect(answer?.body.data.generations.edges).toEqual([]);
  });

  /** The gateways' own databases are empty: they share another. */
  async function replicaSql(text: string, values: unknown[]): Promise<{ lines: number }[]> {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      return (await client.query<{ lines: number }>(text, values)).rows;
    } finally {
      await client.end();
    }
  }
});

describe('without the settings', () => {
  it('nothing is ever removed', async () => {
    const other = await startTestGateway({ clock });
    try {
      await other.generateImage({ prompt: 'for ever' });
      await pass(10_000 * DAY_MS);
      await other.restart();
      expect(await other.sql('select 1 from images where removed_at is null')).toHaveLength(1);
    } finally {
      await other.close();
    }
  });
});

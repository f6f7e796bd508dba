import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { graphql } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createImagePort } from '../../src/gateway/image-port.ts';
import type { Image } from '../../src/generation.ts';
import type { BlobStore } from '../../src/images/blob-store.ts';
import { createFileStore } from '../../src/images/file-store.ts';
import { createUrlSigner } from '../../src/images/signed-urls.ts';
import type { Context } from '../../src/schema/context.ts';
import { schema } from '../../src/schema/index.ts';
import { codesOf, logOf } from '../support/edge.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { GraphqlClient } from '../support/graphql-client.ts';

const MIB = 1024 * 1024;
const NODES = 'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { base64 } } }';
/** The same nodes twice, by an alias. */
const TWICE = `query ($ids: [ID!]!, $more: [ID!]!) {
  nodes(ids: $ids) { ... on Image { base64 } }
  more: nodes(ids: $more) { ... on Image { base64 } }
}`;
const times = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);

describe('pictures inline', () => {
  let gateway: TestGateway;
  let alice: GraphqlClient;
  let ids: string[];
  beforeAll(async () => {
    gateway = await startTestGateway();
    alice = await gateway.createClient('alice');
    const results = await alice.generateImages({ prompt: 'a wall', count: 3 });
    ids = results.map(({ image }) => image?.id ?? '');
  });
  afterAll(() => gateway?.close());

  const base64Of = async (id = ids[0] ?? ''): Promise<string> => {
    const { nodes } = await alice.query<{ nodes: { base64: string }[] }>(NODES, { ids: [id] });
    return nodes[0]?.base64 ?? '';
  };

  it('are a hundred in one operation', async () => {
    const base64 = await base64Of();
    expect(base64).toMatch(/^iVBORw0KGgo/);
    const { body } = await alice.send(TWICE, { ids: times(99, ids[0]), more: [ids[0]] });
    expect(body).toEqual({ data: { nodes: times(99, { base64 }), more: [{ base64 }] } });
  });

  it('are no more, however they are aliased: what is beyond is an error in its own place', async () => {
    const base64 = await base64Of();
    const answer = await alice.send(TWICE, { ids: times(100, ids[0]), more: times(2, ids[0]) });
    expect(answer.body.data).toEqual({ nodes: times(100, { base64 }), more: [null, null] });
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT']);
    expect(answer.body.errors?.[0]).toMatchObject({
      message: expect.stringMatching(/^base64: one operation has 100 pictures and 192 MiB of PNG/),
      path: ['more', 0, 'base64'],
    });
  });

  it('are 192 MiB in one operation, by what the ledger says of their size', async () => {
    const [first = '', second = '', third = ''] = ids;
    const sizes = await gateway.sql<{ id: string; byte_size: number }>('select id, byte_size from images');
    const resize = (id: string, byteSize: number) =>
      gateway.sql('update images set byte_size = $2 where id = $1', [uuidOf(id), byteSize]);
    await resize(first, 150 * MIB);
    await resize(second, 42 * MIB);
    const fitting = await alice.send(NODES, { ids: [first, second] });
    expect(codesOf(fitting)).toEqual([]);
    const answer = await alice.send(NODES, { ids: [first, second, third, first] });
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT']);
    expect(answer.body.data.nodes).toEqual([...fitting.body.data.nodes, null, null]);
    for (const { id, byte_size: byteSize } of sizes) {
      await gateway.sql('update images set byte_size = $2 where id = $1', [id, byteSize]);
    }
  });

  it('that are gone from the store are one line in the log, with a reason for each', async () => {
    const lost = await alice.generateImages({ prompt: 'a wall that falls', count: 2 });
    const lostIds = lost.map(({ image }) => image?.id ?? '');
    const keys = await gateway.sql<{ key: string }>(
      'select blob_key as key from images where id = any($1::uuid[])',
      [lostIds.map(uuidOf)],
    );
    for (const { key } of keys) await rm(join(gateway.dataDir, 'images', ...key.split('/')));

    const before = gateway.logLines.length;
    const answer = await alice.send(NODES, { ids: [...lostIds, ids[0], ...lostIds] });
    const base64 = await base64Of();
    expect(answer.body.data.nodes).toEqual([null, null, { base64 }, null, null]);
    expect(codesOf(answer)).toEqual(times(4, 'INTERNAL_SERVER_ERROR'));
    for (const { message } of answer.body.errors ?? []) {
      expect(message).toBe('The gateway failed unexpectedly.');
    }
    const lines = logOf(gateway)
      .slice(before)
      .filter(({ msg }) => msg === 'a resolver failed unexpectedly');
    expect(lines).toHaveLength(1);
    const { err } = lines[0] as { err: { message: string; aggregateErrors: { message: string }[] } };
    expect(err.message).toBe('Stored images could not be read.');
    const reasons = keys.map(({ key }) => `The stored image ${key} is gone.`);
    expect(err.aggregateErrors.map(({ message }) => message).toSorted()).toEqual(reasons.toSorted());
  });
});

describe('the store, asked for pictures inline', () => {
  const BYTES = Buffer.from('the bytes of a picture');
  const UUID = '01978800-0000-7000-8000-00000000';
  let folder: string;
  let store: BlobStore;
  let opened: string[];
  let openNow: number;
  let mostOpen: number;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gesso-base64-'));
    const files = await createFileStore({ folder });
    [opened, openNow, mostOpen] = [[], 0, 0];
    store = {
      ...files,
      async open(key) {
        opened.push(key);
        openNow += 1;
        mostOpen = Math.max(mostOpen, openNow);
        const blob = await files.open(key);
        blob?.stream.once('close', () => {
          openNow -= 1;
        });
        return blob;
      },
    };
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const imageOf = (number: number): Image => ({
    id: `${UUID}${String(number).padStart(4, '0')}`,
    generationId: UUID,
    clientId: UUID,
    blobKey: `${number}.png`,
    width: 1,
    height: 1,
    byteSize: BYTES.length,
    sha256: '',
    contentType: 'image/png',
    revisedPrompt: undefined,
    thumbhash: undefined,
    createdAt: new Date(0),
    removedAt: undefined,
  });
  /** One operation that asks for each of these; `port` stands for the process. */
  const ask = async (port: Context['gateway']['images'], numbers: readonly number[], signal: AbortSignal) => {
    const images = numbers.map(imageOf);
    const context = {
      principal: { clientId: UUID, scopes: new Set() },
      requestId: UUID,
      signal,
      gateway: { images: port },
      read: { imagesById: async () => images },
    } as unknown as Context;
    const variableValues = { ids: images.map(({ id }) => Buffer.from(`Image:${id}`).toString('base64')) };
    return graphql({ schema, source: NODES, variableValues, contextValue: context });
  };
  const createPort = () =>
    createImagePort({
      signer: createUrlSigner({
        secret: 'secret-of-the-tests',
        publicUrl: () => 'http://localhost',
        now: () => 0,
      }),
      store,
      urlLifetimeSeconds: 60,
      now: () => new Date(0),
    });
  const never = new AbortController().signal;

  it('reads one once for a request, however often it is asked for', async () => {
    await writeFile(join(folder, '1.png'), BYTES);
    const { data, errors } = await ask(createPort(), times(100, 1), never);
    expect(errors).toBeUndefined();
    expect(data?.nodes).toEqual(times(100, { base64: BYTES.toString('base64') }));
    expect(opened).toEqual(['1.png']);
  });

  it('reads a few at a time, for all requests together', async () => {
    const numbers = Array.from({ length: 30 }, (_, number) => number);
    for (const number of numbers) await writeFile(join(folder, `${number}.png`), BYTES);
    const port = createPort();
    const answers = await Promise.all(times(5, numbers).map((all) => ask(port, all, never)));
    for (const { data, errors } of answers) {
      expect(errors).toBeUndefined();
      expect(data?.nodes).toEqual(times(30, { base64: BYTES.toString('base64') }));
    }
    expect(opened).toHaveLength(150);
    expect(mostOpen).toBeLessThanOrEqual(4);
  });

  it('reads nothing for a caller who has gone', async () => {
    await writeFile(join(folder, '1.png'), BYTES);
    const { data, errors } = await ask(createPort(), [1], AbortSignal.abort());
    expect(data?.nodes).toEqual([null]);
    expect(errors?.map(({ originalError }) => originalError)).toMatchObject([
      { code: 'SERVICE_UNAVAILABLE' },
    ]);
    expect(opened).toEqual([]);
  });
});

const uuidOf = (globalId: string): string => Buffer.from(globalId, 'base64').toString().split(':')[1] ?? '';

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type AuditEvent,
  type AuditSink,
  ConfigError,
  createGateway,
  definePlugin,
  type GessoPlugin,
  NotFoundError,
  readConfig,
} from '../../src/index.ts';
import { createTestDatabase } from '../support/database.ts';
import { codesOf, logOf, post } from '../support/edge.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startSharingGateways } from '../support/sharing-gateways.ts';

const SECRET = 's3cr3t-of-the-plug-in';
/** Waits for what other tests on the same server hold up. */
const POLL = { timeout: 20_000, interval: 20 };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function start(plugin: GessoPlugin, environment: Record<string, string> = {}): Promise<TestGateway> {
  const gateway = await startTestGateway({ extensions: { plugins: [plugin] }, environment });
  closers.push(() => gateway.close());
  return gateway;
}

describe('a schema extension', () => {
  const plugin = definePlugin({
    name: 'atelier',
    schema: [
      {
        typeDefs: `
          extend type Image { aspectRatio: Float! }
          extend type Query { secret: String lost: String }
          extend type Mutation { nothing: Int }`,
        resolvers: {
          Image: { aspectRatio: ({ width, height }) => width / height },
          Query: {
            secret() {
              throw new Error(SECRET);
            },
            lost() {
              throw new NotFoundError('There is no such easel.');
            },
          },
          Mutation: { nothing: () => 1 },
        },
      },
      {
        typeDefs: 'extend type Query { motto: String! }',
        resolvers: { Query: { motto: () => 'ars longa' } },
        public: true,
      },
    ],
  });

  it('is served beside what is built in', async () => {
    const gateway = await start(plugin);
    const { body } = await gateway.send(
      `mutation { generateImage(input: { prompt: "a boat", size: LANDSCAPE_1536X1024 }) {
        ... on GenerateImageSuccess { image { width height aspectRatio generation { status } } } } }`,
    );
    const { image } = body.data.generateImage;
    expect(image).toEqual({
      width: expect.any(Number),
      height: expect.any(Number),
      aspectRatio: image.width / image.height,
      generation: { status: 'SUCCEEDED' },
    });
  });

  it('needs an API key for its root fields, unless it is public', async () => {
    const gateway = await start(plugin);
    const stranger = await post(gateway, { query: 'mutation { nothing }' });
    expect({ status: stranger.status, codes: codesOf(stranger) }).toEqual({
      status: 401,
      codes: ['UNAUTHENTICATED'],
    });
    expect((await post(gateway, { query: '{ motto }' })).body).toEqual({ data: { motto: 'ars longa' } });
    expect(await gateway.query('mutation { nothing }')).toEqual({ nothing: 1 });
  });

  it('has its errors masked like all others, but those that are for clients', async () => {
    const gateway = await start(plugin);
    const masked = await gateway.send('{ secret }');
    expect(codesOf(masked)).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(JSON.stringify(masked.body)).not.toContain(SECRET);
    expect(JSON.stringify(logOf(gateway).filter(({ msg }) => /unexpectedly/.test(String(msg))))).toContain(
      SECRET,
    );
    const told = await gateway.send('{ lost }');
    expect(codesOf(told)).toEqual(['NOT_FOUND']);
    expect(told.body.errors?.[0]?.message).toBe('There is no such easel.');
  });

  it('lifts no limit on images: beside a mutation of its own too many are refused as ever', async () => {
    const gateway = await start(plugin);
    const ten = 'generateImages(input: { prompt: "x", count: 10 }) { __typename }';
    const answer = await gateway.send(`mutation { nothing a: ${ten} b: ${ten} }`);
    expect(codesOf(answer)).toEqual(['TOO_MANY_IMAGES']);
    expect(gateway.sandbox.journal.calls()).toEqual([]);
  });

  it('is published to routers of a federation', async () => {
    const gateway = await start(plugin, { GESSO_FEDERATION: 'on' });
    const { _service } = await gateway.query<{ _service: { sdl: string } }>('{ _service { sdl } }');
    expect(_service.sdl).toContain('aspectRatio: Float!');
  });
});

describe('an audit sink', () => {
  const idsOf = (events: readonly AuditEvent[]) => events.map(({ id }) => id);
  const trailOf = async (gateway: Pick<TestGateway, 'sql'>) =>
    (await gateway.sql<{ id: string }>('select id from audit_events order by tx, id')).map(({ id }) => id);

  /** Remembers what it got; fails `failures` times. */
  function remember(failures = 0) {
    const events: AuditEvent[] = [];
    let left = failures;
    const sink: AuditSink = {
      name: 'memory',
      from: 'beginning',
      async write(batch) {
        left -= 1;
        if (left >= 0) throw new Error(`The door is shut for https://u:${SECRET}@siem.example/`);
        events.push(...batch);
      },
    };
    return { events, plugin: definePlugin({ name: 'memory', auditSinks: [sink] }) };
  }

  it('gets every line of the trail, in order', async () => {
    const { events, plugin } = remember();
    // One connection is the sink's, for as long as it is held; the other one is enough for all else.
    const gateway = await start(plugin, { GESSO_DATABASE_POOL_SIZE: '2' });
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        gateway.generateImage({ prompt: `boat ${index}`, idempotencyKey: freshKey() }),
      ),
    );
    const trail = await trailOf(gateway);
    expect(trail.length).toBeGreaterThanOrEqual(8 * 4);
    await expect.poll(() => idsOf(events), POLL).toEqual(trail);
    expect(events.at(-1)).toMatchObject({ action: 'GENERATION_SUCCEEDED', occurredAt: expect.any(Date) });
  });

  it('gets what was written before it stopped, and goes on after a restart', async () => {
    const { events, plugin } = remember();
    const gateway = await start(plugin);
    await gateway.generateImage({ prompt: 'before' });
    await gateway.restart();
    await gateway.generateImage({ prompt: 'after' });
    await expect.poll(() => new Set(idsOf(events)), POLL).toEqual(new Set(await trailOf(gateway)));
  });

  it('that fails holds nothing up, and what it said goes to no log', async () => {
    const { events, plugin } = remember(2);
    const gateway = await start(plugin);
    const result = await gateway.generateImage({ prompt: 'a boat' });
    expect(result.__typename).toBe('GenerateImageSuccess');
    const trail = await trailOf(gateway);
    await expect.poll(() => idsOf(events), POLL).toEqual(trail);
    expect(gateway.logLines.filter((line) => line.includes('an audit sink failed'))).toHaveLength(2);
    expect(gateway.logLines.join('')).not.toContain(SECRET);
  });

  it('gets each line once, though several replicas have it', async () => {
    const { events, plugin } = remember();
    const shared = await startSharingGateways(3, { extensions: { plugins: [plugin] } });
    closers.push(() => shared.close());
    await Promise.all(shared.gateways.map((gateway) => gateway.generateImage({ prompt: 'a boat' })));
    await expect.poll(() => idsOf(events), POLL).toEqual(await trailOf(shared));
  });
});

describe('HTTP hooks', () => {
  const plugin = definePlugin({
    name: 'door',
    httpHooks: {
      onRequest: (request) =>
        request.headers.has('x-banned') ? new Response('No.', { status: 403 }) : undefined,
      onResponse(response, { principal }) {
        response.headers.set('x-served-to', principal?.clientName ?? 'a stranger');
        return undefined;
      },
      routes: [{ method: 'GET', path: '/metrics', scope: 'admin', handler: () => new Response('up 1\n') }],
    },
  });

  it('lie around GraphQL, and serve what is the plug-in’s own', async () => {
    const gateway = await start(plugin);
    const answer = await gateway.send('{ viewer { scopes } }');
    expect(answer.headers.get('x-served-to')).toBe('admin');
    const image = (await gateway.generateImage({ prompt: 'a boat' })).image;
    expect((await fetch(image?.url ?? '')).headers.get('x-served-to')).toBe('a stranger');
    expect((await fetch(`${gateway.url}/graphql`, { headers: { 'x-banned': 'yes' } })).status).toBe(403);
    expect((await fetch(`${gateway.url}/metrics`)).status).toBe(401);
    const metrics = await fetch(`${gateway.url}/metrics`, {
      headers: { authorization: `Bearer ${gateway.key}` },
    });
    expect(await metrics.text()).toBe('up 1\n');
  });
});

describe('a gateway whose plug-in has a mistake', () => {
  it.each<[string, GessoPlugin, string]>([
    [
      'a field that there is none of',
      { auditSink: [] } as never,
      'The plug-in "odd" is not usable: there is no field `auditSink`.',
    ],
    [
      'a field of the schema that is there',
      { schema: { typeDefs: 'extend type Image { width: Int! }' } } as never,
      'The schema of the plug-in "odd" is not usable: Field "Image.width" already exists in the schema. It cannot also be defined in this type extension.',
    ],
    [
      'a route that is the gateway’s own',
      { httpHooks: { routes: [{ method: 'GET', path: '/readyz', handler: () => new Response() }] } } as never,
      'The plug-in "odd" can\'t answer GET /readyz: the gateway does.',
    ],
  ])('does not start: %s', async (_about, fields, message) => {
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const dataDir = await mkdtemp(join(tmpdir(), 'gesso-plugin-'));
    closers.push(() => rm(dataDir, { recursive: true, force: true }));
    const config = readConfig({
      GESSO_DATA_DIR: dataDir,
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      BETTERTOKEN_API_KEY: 'sk-of-the-tests',
    });
    const extensions = { plugins: [{ ...fields, name: 'odd' }] };
    await expect(createGateway({ config, publicUrl: () => 'http://localhost', extensions })).rejects.toEqual(
      new ConfigError(message),
    );
  });
});

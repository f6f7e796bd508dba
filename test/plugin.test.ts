import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type AttemptMiddleware,
  ConfigError,
  createGateway,
  defineConfig,
  type GessoPlugin,
  InvalidInputError,
  type Provider,
  ProviderFailure,
  type RequestMiddleware,
  readConfig,
} from '../src/index.ts';
import { ATTEMPT_RING, REQUEST_RING } from '../src/pipeline.ts';
import { plainPicture } from '../src/sandbox/plain-picture.ts';
import { createTestDatabase } from './support/database.ts';
import { freshKey, startTestGateway, type TestGateway } from './support/gateway.ts';

let gateways: TestGateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  gateways = [];
});

async function start(...plugins: GessoPlugin[]): Promise<TestGateway> {
  const gateway = await startTestGateway({ extensions: defineConfig({ plugins }) });
  gateways.push(gateway);
  return gateway;
}

/** Starts a gateway that refuses; resolves with the refusal once the database has nobody connected any more. */
async function refusedStart(...plugins: GessoPlugin[]): Promise<unknown> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gesso-plugin-'));
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const others = async () => {
    const { rows } = await client.query(
      'select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    return rows.length;
  };
  try {
    const config = readConfig({
      GESSO_DATA_DIR: dataDir,
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      BETTERTOKEN_API_KEY: 'sk-of-the-tests',
    });
    const starting = createGateway({ config, publicUrl: () => 'http://localhost', extensions: { plugins } });
    const refusal = await starting.then(
      () => 'It started.',
      (error: unknown) => error,
    );
    await expect.poll(others).toBe(0);
    return refusal;
  } finally {
    await client.end();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** A provider as somebody else would write it: it draws by itself, and fails the first `failures` times. */
function createEasel({ name = 'easel', failures = 0 } = {}): Provider & { readonly calls: string[] } {
  const calls: string[] = [];
  return {
    name,
    calls,
    models: ['easel-1'],
    sizes: ['auto', '1024x1024'],
    async generate({ prompt }, { requestId }) {
      calls.push(requestId);
      if (calls.length <= failures) {
        throw new ProviderFailure('the easel is in use', { outcome: 'NOT_ACCEPTED', httpStatus: 503 });
      }
      const picture = await plainPicture({ width: 40, height: 30 });
      return {
        httpStatus: 200,
        model: 'easel-1',
        picture: (async function* () {
          yield picture;
        })(),
        metadata: () => ({ revisedPrompt: `${prompt}, on canvas` }),
      };
    },
    async close() {
      calls.push('closed');
    },
  };
}

describe('a provider of a plug-in', () => {
  it('is all it takes: its pictures are measured, stored and recorded, its failures retried', async () => {
    const easel = createEasel({ failures: 1 });
    const gateway = await start({ name: 'atelier', providers: [easel] });
    const result = await gateway.generateImage({ prompt: 'a boat', provider: 'easel' });
    expect(result).toMatchObject({
      __typename: 'GenerateImageSuccess',
      image: { width: 40, height: 30, revisedPrompt: 'a boat, on canvas' },
    });
    expect(result.generation?.attempts).toMatchObject([
      { outcome: 'NOT_ACCEPTED', httpStatus: 503, requestId: easel.calls[0] },
      { outcome: 'SUCCEEDED', requestId: easel.calls[1] },
    ]);
    expect((await fetch(result.image?.url ?? '')).status).toBe(200);
    expect(gateway.sandbox.journal.calls()).toEqual([]);
    await gateway.restart();
    expect(easel.calls.at(-1)).toBe('closed');
  });

  it('is the default; the built-in one answers to its name', async () => {
    const easel = createEasel();
    const gateway = await start({ name: 'atelier', providers: [easel, createEasel({ name: 'second' })] });
    expect(await gateway.generateImage({ prompt: 'a boat' })).toMatchObject({ image: { width: 40 } });
    await gateway.generateImage({ prompt: 'a boat', provider: 'bettertoken' });
    expect(easel.calls).toHaveLength(1);
    expect(gateway.sandbox.journal.calls()).toHaveLength(1);
    const { providers } = await gateway.query<{ providers: { name: string }[] }>('{ providers { name } }');
    expect(providers.map(({ name }) => name)).toEqual(['easel', 'second', 'bettertoken']);
  });

  it('gets no request for a size that it does not offer', async () => {
    const easel = createEasel();
    const gateway = await start({ name: 'atelier', providers: [easel] });
    const result = await gateway.generateImage({ prompt: 'a boat', size: 'LANDSCAPE_3840X2160' });
    expect(result).toMatchObject({ __typename: 'InvalidInputError', issues: [{ path: ['input', 'size'] }] });
    expect(easel.calls).toEqual([]);
  });

  it('is refused where its name is taken, by another or by the built-in one', async () => {
    const atelier = { name: 'atelier', providers: [createEasel()] };
    expect(await refusedStart(atelier, { ...atelier, name: 'copy' })).toEqual(
      new ConfigError('Two providers are called "easel".'),
    );
    const shadow = { name: 'shadow', providers: [createEasel({ name: 'bettertoken' })] };
    expect(await refusedStart(shadow)).toEqual(new ConfigError('Two providers are called "bettertoken".'));
  });
});

describe('a middleware of a plug-in', () => {
  it('in the request ring refuses before anything is claimed or remembered', async () => {
    const noCats: RequestMiddleware = async function noCats(request, next) {
      if (!request.prompt.includes('cat')) return next(request);
      throw new InvalidInputError([{ path: ['input', 'prompt'], message: 'must not ask for cats.' }]);
    };
    const gateway = await start({
      name: 'no-cats',
      requestMiddleware: [{ middleware: noCats, before: 'idempotency' }],
    });
    const idempotencyKey = freshKey();
    expect(await gateway.generateImage({ prompt: 'a cat', idempotencyKey })).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ message: 'must not ask for cats.' }],
    });
    expect(await gateway.sql('select 1 from generations')).toEqual([]);
    const result = await gateway.generateImage({ prompt: 'a dog', idempotencyKey });
    expect(result).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
  });

  it('in the attempt ring sees each call, or each generation, by where it stands', async () => {
    const seen: string[] = [];
    const observe = (name: string): AttemptMiddleware =>
      ({
        async [name](...[request, next]: Parameters<AttemptMiddleware>) {
          seen.push(`${name} ${request.attempt === undefined ? 'unrecorded' : 'recorded'}`);
          return next(request);
        },
      })[name] as AttemptMiddleware;
    const gateway = await start({
      name: 'observer',
      attemptMiddleware: [
        { middleware: observe('perGeneration'), before: 'retry' },
        { middleware: observe('perCall'), after: 'retry' },
        { middleware: observe('innermost') },
      ],
    });
    gateway.sandbox.behave({ kind: 'status', status: 503 });
    const result = await gateway.generateImage({ prompt: 'a boat' });
    expect(result.__typename).toBe('GenerateImageSuccess');
    const call = ['perCall unrecorded', 'innermost recorded'];
    expect(seen).toEqual(['perGeneration unrecorded', ...call, ...call]);
  });

  it('is refused where its name is taken: plug-ins must be able to tell neighbours apart', async () => {
    const quota: RequestMiddleware = async function quota(request, next) {
      return next(request);
    };
    expect(await refusedStart({ name: 'mine', requestMiddleware: [{ middleware: quota }] })).toEqual(
      new ConfigError('A middleware needs a name of its own, not "quota".'),
    );
  });
});

describe('the rings, as a gateway builds them', () => {
  /** The ring in outermost order, from the message to whoever names a neighbour that is not there. */
  async function ringWith(ring: 'requestMiddleware' | 'attemptMiddleware'): Promise<string[]> {
    const lost = async function lost() {
      throw new Error('It is in no ring.');
    };
    const plugin: GessoPlugin = { name: 'lost', [ring]: [{ middleware: lost, after: 'nobody' }] };
    const refusal = await refusedStart(plugin);
    expect(refusal).toBeInstanceOf(ConfigError);
    return /the ring is (.*)\./.exec(String(refusal))?.[1]?.split(' ▸ ') ?? [];
  }

  it('have the order that is drawn in pipeline.ts', async () => {
    expect(await ringWith('requestMiddleware')).toEqual([...REQUEST_RING]);
    expect(await ringWith('attemptMiddleware')).toEqual([...ATTEMPT_RING]);
  });
});

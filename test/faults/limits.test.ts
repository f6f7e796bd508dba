import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createGateway } from '../../src/gateway.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { cancelGeneration, startedId } from '../support/background.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestGateway } from '../support/gateway.ts';
import { type SharingGateways, startSharingGateways } from '../support/sharing-gateways.ts';
import { createSteppedPictures } from '../support/stepped-pictures.ts';

/** A busy machine takes its time. */
const PATIENT = { timeout: 20_000 };

let replicas: SharingGateways | undefined;
afterEach(async () => {
  await replicas?.close();
  replicas = undefined;
});

const start = async (...[count, options]: Parameters<typeof startSharingGateways>) => {
  replicas = await startSharingGateways(count, options);
  return replicas;
};
const allEnd = async ({ sql }: SharingGateways) => {
  const open = () => sql('select 1 from generations where finished_at is null');
  await expect.poll(open, PATIENT).toEqual([]);
};

describe('a limit on calls at once', () => {
  it.each([
    ['to all providers', { GESSO_CALLS_AT_ONCE: '3' }],
    ['to one provider', { GESSO_PROVIDER_CALLS_AT_ONCE: 'bettertoken=3' }],
  ])('%s holds over two replicas, and is used in full until all have ended', async (_name, environment) => {
    const pictures = createSteppedPictures();
    const shared = await start(2, { environment, upstream: { latencyMs: 20, pictures: pictures.paint } });
    const { journal } = shared.first.sandbox;
    const asked = Array.from({ length: 40 }, (_, index) =>
      startedId(shared.gateways[index % 2] ?? shared.first, { prompt: 'limited' }),
    );
    await Promise.all(asked);
    await expect.poll(() => pictures.open, PATIENT).toHaveLength(3);
    pictures.finishAll();
    await allEnd(shared);
    expect(journal.calls()).toHaveLength(40);
    expect(journal.peakOpen).toBe(3);
  });

  it('to one provider holds up no other one', async () => {
    const pictures = createSteppedPictures();
    const shared = await start(1, {
      environment: { GESSO_PROVIDER_CALLS_AT_ONCE: 'bettertoken=1', GESSO_CONCURRENCY: '4' },
      upstream: { pictures: pictures.paint },
      extensions: { plugins: [{ name: 'easel', providers: [easel] }] },
    });
    const slow = { prompt: 'slow', provider: 'bettertoken' };
    for (let asked = 0; asked < 10; asked++) await startedId(shared.first, slow);
    const quick = await shared.first.generateImage({ prompt: 'quick', provider: 'easel' });
    expect(quick.__typename).toBe('GenerateImageSuccess');
    expect(pictures.open).toEqual(['slow']);
    pictures.finishAll();
    await allEnd(shared);
    expect(shared.first.sandbox.journal.peakOpen).toBe(1);
  });

  it('has room again for another replica as soon as a generation is canceled', async () => {
    const pictures = createSteppedPictures();
    const shared = await start(2, {
      environment: { GESSO_CALLS_AT_ONCE: '1' },
      upstream: { pictures: pictures.paint },
    });
    const [first, second] = shared.gateways;
    if (first === undefined || second === undefined) expect.fail('There are no two.');
    const id = await startedId(first, { prompt: 'first' });
    await expect.poll(() => pictures.open, PATIENT).toEqual(['first']);
    await startedId(second, { prompt: 'second' });
    expect(await cancelGeneration(first, id)).toMatchObject({ __typename: 'CancelGenerationSuccess' });
    await expect.poll(() => pictures.open, PATIENT).toContain('second');
    pictures.finishAll();
    await allEnd(shared);
  });

  it('keeps nobody from taking over what a replica hands over: that has its room already', async () => {
    const gateway = await startTestGateway({
      environment: { GESSO_CALLS_AT_ONCE: '1', GESSO_RETRY_DELAYS_MS: '60000' },
    });
    try {
      const { journal } = gateway.sandbox;
      gateway.sandbox.behave({ kind: 'status', status: 503 });
      await startedId(gateway, { prompt: 'handed over' });
      const refused = () => gateway.sql(`select 1 from attempts where outcome = 'NOT_ACCEPTED'`);
      await expect.poll(refused, PATIENT).toHaveLength(1);
      await startedId(gateway, { prompt: 'waits' });
      await gateway.restart();
      await journal.waitFor(3);
      expect(journal.calls().map(({ prompt }) => prompt)).toEqual(['handed over', 'handed over', 'waits']);
      expect(journal.peakOpen).toBe(1);
    } finally {
      await gateway.close();
    }
  });

  it('is refused at start for a provider that there is not', async () => {
    const database = await createTestDatabase();
    const dataDir = await mkdtemp(join(tmpdir(), 'gesso-limits-'));
    const config = readConfig({
      GESSO_DATA_DIR: dataDir,
      DATABASE_URL: database.url,
      GESSO_URL_SECRET: 'url-secret-of-the-tests',
      BETTERTOKEN_API_KEY: 'sk-of-the-tests',
      GESSO_PROVIDER_CALLS_AT_ONCE: 'bettertoken=5,nobody=3',
    });
    const starting = createGateway({ config, publicUrl: () => 'http://localhost' });
    await expect(starting).rejects.toThrow(
      'GESSO_PROVIDER_CALLS_AT_ONCE names nobody; the configured providers are bettertoken.',
    );
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  });
});

/** A provider that draws by itself. */
const easel: Provider = {
  name: 'easel',
  models: ['easel-1'],
  sizes: ['auto', '1024x1024'],
  async generate() {
    const picture = await plainPicture({ width: 40, height: 30 });
    return {
      httpStatus: 200,
      model: 'easel-1',
      picture: (async function* () {
        yield picture;
      })(),
      metadata: () => ({ revisedPrompt: undefined }),
    };
  },
  async close() {},
};

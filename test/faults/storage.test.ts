import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

const DEADLINE_MS = 1_200;
const picture = plainPicture({ width: 64, height: 64, seed: 22 });

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { GESSO_DEADLINE_MS: String(DEADLINE_MS) },
    upstream: { pictures: picture },
  });
});
afterAll(() => gateway.close());
afterEach(mend);

const folder = () => join(gateway.dataDir, 'images');

/** A file in the folder's place: no permission could keep root from writing to a folder. */
async function breakStorage(): Promise<void> {
  await rename(folder(), `${folder()}.away`);
  await writeFile(folder(), '');
}
async function mend(): Promise<void> {
  const away = (await readdir(gateway.dataDir)).includes('images.away');
  if (!away) return;
  await rm(folder());
  await rename(`${folder()}.away`, folder());
}

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);

describe('a storage folder that takes nothing', () => {
  it.each([
    { delivery: 'AT_MOST_ONCE', held: true },
    { delivery: 'AT_LEAST_ONCE', held: false },
  ])(
    'fails clearly after the deadline, with one call and the bytes kept: $delivery',
    async ({ delivery, held }) => {
      const input = { prompt: `nowhere to go, ${delivery}`, delivery, idempotencyKey: freshKey() };
      const rejected = join(gateway.dataDir, 'rejected');
      const before = new Set(await readdir(rejected));
      await breakStorage();
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
      const result = await gateway.generateImage(input);
      expect(result).toMatchObject({
        __typename: 'StorageFailedError',
        retryable: !held,
        generation: {
          failure: { code: 'STORAGE_FAILED' },
          attempts: [{ outcome: 'UNKNOWN', httpStatus: 200 }],
        },
      });
      expect(result.message).not.toContain(gateway.dataDir);
      expect(callsFor(input.prompt)).toHaveLength(1);
      const kept = (await readdir(rejected)).filter((name) => !before.has(name));
      expect(kept).toHaveLength(1);
      expect((await readFile(join(rejected, kept[0] ?? ''))).equals(picture)).toBe(true);

      await mend();
      const again = await gateway.generateImage(input);
      if (held) expect(again).toEqual(result);
      else expect(again).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
      expect(callsFor(input.prompt)).toHaveLength(held ? 1 : 2);
    },
  );

  it('is tried again until the deadline: mended in time, nothing is lost and nothing bought again', async () => {
    const input = { prompt: 'a full disk that is emptied', idempotencyKey: freshKey() };
    await breakStorage();
    const asking = gateway.generateImage(input);
    const failures = () => gateway.logLines.filter((line) => line.includes('storing an image failed')).length;
    const before = failures();
    await expect.poll(failures).toBeGreaterThan(before);
    await mend();
    expect((await asking).__typename).toBe('GenerateImageSuccess');
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

describe('a staging folder that takes nothing', () => {
  it('fails clearly after one call, and never buys again by itself', async () => {
    const staging = join(gateway.dataDir, 'staging');
    await rename(staging, `${staging}.away`);
    await writeFile(staging, '');
    const input = { prompt: 'nowhere to arrive', idempotencyKey: freshKey() };
    const result = await gateway.generateImage(input);
    await rm(staging);
    await rename(`${staging}.away`, staging);
    expect(result.__typename).toBe('StorageFailedError');
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

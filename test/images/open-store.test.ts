import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { openBlobStore } from '../../src/images/open-store.ts';
import { temporaryFolder } from './pictures.ts';

describe('openBlobStore', () => {
  it('takes a path and a file: URL for a folder', async () => {
    const folder = join(await temporaryFolder(), 'my images');
    expect((await openBlobStore(folder)).name).toBe(`file:${folder}`);
    const store = await openBlobStore(pathToFileURL(folder).href);
    expect(store.name).toBe(`file:${folder}`);
    await store.check();
  });

  it.each([
    's3://key:secret@bucket',
    'https://example.com/x',
    'gs://bucket',
    'file:relative/path',
    'file://host/x',
    ' ',
  ])('refuses %j and says what is supported', async (storageUrl) => {
    const error = await openBlobStore(storageUrl).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toContain('file:///var/lib/gesso/images');
    expect(String(error)).not.toContain('secret');
  });
});

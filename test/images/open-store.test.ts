import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { openBlobStore } from '../../src/images/open-store.ts';
import { parseS3Url } from '../../src/images/s3-url.ts';
import { startS3Server } from '../support/s3-server.ts';
import { temporaryFolder } from './pictures.ts';

const failureOf = async (storageUrl: string): Promise<Error> =>
  await openBlobStore(storageUrl).then(
    () => expect.unreachable(`${storageUrl} was taken`),
    (error: Error) => error,
  );

describe('openBlobStore', () => {
  it('takes a path and a file: URL for a folder', async () => {
    const folder = join(await temporaryFolder(), 'my images');
    expect((await openBlobStore(folder)).name).toBe(`file:${folder}`);
    const store = await openBlobStore(pathToFileURL(folder).href);
    expect(store.name).toBe(`file:${folder}`);
    await store.check();
  });

  it.each(['https://example.com/x', 'gs://bucket', 'file:relative/path', 'file://host/x', ' '])(
    'refuses %j and says what is supported',
    async (storageUrl) => {
      const error = await failureOf(storageUrl);
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain('file:///var/lib/gesso/images');
      expect(error.message).toContain('s3://bucket/prefix');
    },
  );
});

describe('an s3: URL', () => {
  it.each([
    ['s3://images', { bucket: 'images', prefix: '', endpoint: undefined, region: undefined }],
    ['s3://my.images-2/', { bucket: 'my.images-2', prefix: '', endpoint: undefined, region: undefined }],
    [
      's3://images/gesso/prod/?region=eu-north-1',
      { bucket: 'images', prefix: 'gesso/prod/', endpoint: undefined, region: 'eu-north-1' },
    ],
    [
      's3://images/a?endpoint=http://minio:9000/&region=auto',
      { bucket: 'images', prefix: 'a/', endpoint: 'http://minio:9000', region: 'auto' },
    ],
    [
      `s3://images?endpoint=${encodeURIComponent('https://store.example.com/storage/v1/s3')}`,
      {
        bucket: 'images',
        prefix: '',
        endpoint: 'https://store.example.com/storage/v1/s3',
        region: undefined,
      },
    ],
  ])('says where the images are: %s', (storageUrl, location) => {
    expect(parseS3Url(storageUrl)).toEqual(location);
  });

  it.each([
    ['s3://AKIAKEY:hunter2@images', 'AWS_SECRET_ACCESS_KEY'],
    ['s3://hunter2@images', 'AWS_SECRET_ACCESS_KEY'],
    ['s3://AKIAKEY:hunter2/x@images', 'no URL'],
    ['s3://images?endpoint=https://key:hunter2@store.example.com', 'endpoint'],
    ['s3://images?endpoint=ftp://hunter2.example.com', 'endpoint'],
    ['s3://images?endpoint=hunter2', 'endpoint'],
    ['s3://images?endpoint=', 'endpoint'],
    ['s3://images?endpoint=https://store.example.com?key=hunter2', 'endpoint'],
    ['s3://images?secretAccessKey=hunter2', '"secretAccessKey"'],
    ['s3://images?region=us-east-1&acl=hunter2&sse=x', '"acl", "sse"'],
    ['s3://images?hunter2/hunter2=', 'odd name'],
    ['s3://images?region=us-east-1&region=hunter2', 'twice'],
    ['s3://images?region=hunter2+', 'region'],
    ['s3://images?region=', 'region'],
    ['s3://images#hunter2', '#'],
    ['s3://', 'bucket'],
    ['s3:images', 'bucket'],
    ['s3:///hunter2', 'bucket'],
    ['s3://Images', 'bucket'],
    ['s3://images:9000', 'bucket'],
    ['s3://images/../hunter2 x', 'prefix'],
    ['s3://images/a//b', 'prefix'],
    ['s3://images/.hidden', 'prefix'],
    ['s3://images/%2e%2e%2f', 'prefix'],
  ])('is refused as %s', async (storageUrl, problem) => {
    const error = await failureOf(storageUrl);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(problem);
    expect(error.message).toContain('s3://bucket/prefix?endpoint=');
    expect(error.message).not.toContain('hunter2');
  });
});

describe('openBlobStore of an s3: URL', () => {
  beforeEach(() => {
    // Nothing of this machine's: no profile, no role.
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const start = async () => {
    const server = await startS3Server();
    onTestFinished(server.close);
    vi.stubEnv('AWS_ACCESS_KEY_ID', server.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', server.secretAccessKey);
    return server;
  };
  const open = async (storageUrl: string) => {
    const store = await openBlobStore(storageUrl);
    onTestFinished(store.close);
    return store;
  };

  it('keeps images there, with the key that the AWS SDK finds', async () => {
    const { bucket, endpoint, objects } = await start();
    const store = await open(`s3://${bucket}/gesso?endpoint=${endpoint}`);
    const path = join(await temporaryFolder(), 'staged');
    await writeFile(path, 'staged');
    await store.putFile('ab/one.png', path, { contentType: 'image/png' });
    expect(objects.get('gesso/ab/one.png')?.bytes.toString()).toBe('staged');
    const blob = await store.open('ab/one.png');
    expect((await buffer(blob?.stream ?? expect.unreachable())).toString()).toBe('staged');
  });

  it.each([
    ['', undefined, 'us-east-1'],
    ['', 'eu-north-1', 'eu-north-1'],
    ['&region=auto', 'eu-north-1', 'auto'],
  ])('signs for the region: %j with AWS_REGION=%s is %s', async (parameter, environment, region) => {
    const { bucket, endpoint } = await start();
    vi.stubEnv('AWS_REGION', environment);
    const store = await open(`s3://${bucket}?endpoint=${endpoint}${parameter}`);
    const { signUrl = expect.unreachable() } = store;
    const { url } = await signUrl('ab/one.png', {
      method: 'GET',
      expiresAt: new Date(Date.now() + 60_000),
      contentType: 'image/png',
      fileName: 'one.png',
    });
    expect(new URL(url).searchParams.get('X-Amz-Credential')).toContain(`/${region}/s3/`);
  });

  it('refuses to start without a key', async () => {
    const { bucket, endpoint } = await start();
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    const error = await failureOf(`s3://${bucket}?endpoint=${endpoint}`);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('CredentialsProviderError');
  });
});

describe('a folder', () => {
  it('needs nothing of the AWS SDK, which takes long to load', async () => {
    const openStore = new URL('../../src/images/open-store.ts', import.meta.url).href;
    const program = `
      import { registerHooks } from 'node:module';
      let loaded = '';
      registerHooks({ load: (url, context, next) => { loaded += url + ' '; return next(url, context); } });
      const { openBlobStore } = await import(${JSON.stringify(openStore)});
      await openBlobStore(${JSON.stringify(await temporaryFolder())});
      console.log(loaded);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(stdout).toContain('file-store.ts');
    expect(stdout).not.toMatch(/aws-sdk|smithy|s3-store/);
  });
});

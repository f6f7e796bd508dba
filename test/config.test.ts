import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig, SETTINGS } from '../src/config.ts';
import { ConfigError } from '../src/errors.ts';

type Environment = Record<string, string>;

/** What is said of a configuration that is not usable. */
function refusal(environment: Environment, options?: Parameters<typeof readConfig>[1]): string {
  try {
    readConfig(environment, options);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return 'It was taken.';
}

describe('the defaults', () => {
  it('are those that are documented', () => {
    const dataDir = resolve('.gesso');
    expect(readConfig({})).toEqual({
      port: 4000,
      host: '127.0.0.1',
      imageDelivery: 'gateway',
      dataDir,
      betterTokenApiKey: undefined,
      databasePoolSize: 10,
      retryDelaysMs: [3_000, 8_000, 15_000],
      deadlineMs: 600_000,
      waitMs: 615_000,
      heartbeatSeconds: 10,
      storageUrl: join(dataDir, 'images'),
      urlLifetimeSeconds: 86_400,
      concurrency: 256,
      breakerOpenMs: 30_000,
      drainMs: 30_000,
      imagesPerOperation: 10,
      documentsOnly: false,
      federation: 'off',
      bodiesAtOnce: 16,
      renditionCacheBytes: 536_870_912,
      logLevel: 'info',
      environment: 'development',
      production: false,
      sandbox: true,
    });
  });

  it('follow what they depend on', () => {
    expect(readConfig({ GESSO_DEADLINE_MS: '5000' }).waitMs).toBe(20_000);
    expect(readConfig({ GESSO_DATA_DIR: '/data/gesso' }).storageUrl).toBe('/data/gesso/images');
  });

  it('are used where a variable is empty', () => {
    const empty = Object.fromEntries(Object.values(SETTINGS).map(({ env }) => [env, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('lose to the file, and the file loses to the environment', () => {
    const file = { PORT: '5000', HOST: '0.0.0.0', GESSO_DRAIN_MS: '1' };
    const config = readConfig({ PORT: '6000', HOST: '' }, { file });
    expect(config).toMatchObject({ port: 6000, host: '0.0.0.0', drainMs: 1, concurrency: 256 });
  });
});

/** A setting that is taken, as it comes out, and some that are refused. */
const VALUES: Record<string, { good: [text: string, value: unknown][]; bad: string[] }> = {
  PORT: {
    good: [
      ['0', 0],
      ['65535', 65_535],
    ],
    bad: ['-1', '65536', '80.5', 'http', '4000 ', '1e3', '0x50'],
  },
  DATABASE_URL: {
    good: [['postgresql://u@db/gesso', 'postgresql://u@db/gesso']],
    bad: ['mysql://db', 'db:5432'],
  },
  GESSO_DATABASE_POOL_SIZE: {
    good: [
      ['2', 2],
      ['200', 200],
    ],
    bad: ['1', '201', 'ten'],
  },
  GESSO_PUBLIC_URL: {
    good: [['https://images.example.com//', 'https://images.example.com']],
    bad: ['images.example.com', 'ftp://images.example.com', 'javascript:alert(1)'],
  },
  BETTERTOKEN_BASE_URL: {
    good: [['http://127.0.0.1:1/v1/', 'http://127.0.0.1:1/v1']],
    bad: ['www.bettertoken.ai/v1'],
  },
  GESSO_RETRY_DELAYS_MS: {
    good: [
      ['none', []],
      ['0', [0]],
      ['20, 40 ,60', [20, 40, 60]],
    ],
    bad: ['3s', '3000,', ',', '3000;8000', '-1', '1.5'],
  },
  GESSO_DEADLINE_MS: {
    good: [
      ['100', 100],
      ['86400000', 86_400_000],
    ],
    bad: ['99', '86400001', '10m'],
  },
  GESSO_WAIT_MS: { good: [['0', 0]], bad: ['-1', '86400001'] },
  GESSO_HEARTBEAT_SECONDS: { good: [['10', 10]], bad: ['9', '3601'] },
  GESSO_URL_LIFETIME_SECONDS: { good: [['604800', 604_800]], bad: ['0', '604801'] },
  GESSO_CONCURRENCY: { good: [['1', 1]], bad: ['0', '100001'] },
  GESSO_DRAIN_MS: { good: [['0', 0]], bad: ['-1', 'never'] },
  GESSO_IMAGES_PER_OPERATION: { good: [['1', 1]], bad: ['0', '1001'] },
  GESSO_DOCUMENTS_ONLY: { good: [['false', false]], bad: ['1', 'yes', 'TRUE'] },
  GESSO_FEDERATION: {
    good: [
      ['on', 'on'],
      ['without-node', 'without-node'],
    ],
    bad: ['true', 'ON', 'subgraph'],
  },
  GESSO_BODIES_AT_ONCE: { good: [['1', 1]], bad: ['0', '1001'] },
  GESSO_RENDITION_CACHE_BYTES: { good: [['0', 0]], bad: ['-1', '1GB', '99999999999999999999'] },
  NODE_ENV: {
    good: [
      ['production', 'production'],
      ['test', 'test'],
    ],
    bad: ['prod', 'Production', 'PRODUCTION', 'productive'],
  },
  LOG_LEVEL: { good: [['silent', 'silent']], bad: ['verbose', 'INFO'] },
};

/** What else must be set, so that the setting in question is the only thing that can be wrong. */
const AROUND: Environment = {
  GESSO_URL_SECRET: 'url-secret-of-the-tests',
  BETTERTOKEN_API_KEY: 'sk-key-of-the-tests',
};
const nameOf = (variable: string) =>
  Object.entries(SETTINGS).find(([, { env }]) => env === variable)?.[0] ?? 'no such setting';

describe.each(Object.entries(VALUES))('%s', (variable, { good, bad }) => {
  it.each(good)('takes %j', (text, value) => {
    expect(readConfig({ ...AROUND, [variable]: text })).toHaveProperty(nameOf(variable), value);
  });

  it.each(bad)('refuses %j, and names the variable', (text) => {
    expect(refusal({ ...AROUND, [variable]: text })).toMatch(
      new RegExp(`^The configuration is not usable: ${variable} .+\\.$`),
    );
  });
});

describe('a configuration that is not usable', () => {
  it('is told with everything that is wrong with it, in one line', () => {
    const message = refusal({ PORT: 'x', LOG_LEVEL: 'loud', GESSO_CONCURRENCY: '0' });
    for (const variable of ['PORT', 'LOG_LEVEL', 'GESSO_CONCURRENCY']) expect(message).toContain(variable);
    expect(message).not.toContain('\n');
  });

  it('never shows a secret', () => {
    const secrets = {
      GESSO_ADMIN_KEY: 'é-sécret',
      GESSO_URL_SECRET: 'hunter2',
      DATABASE_URL: 'mysql://root:hunter2@db',
      BETTERTOKEN_API_KEY: 'sk-secret with spaces',
    };
    const message = refusal(secrets);
    for (const [variable, value] of Object.entries(secrets)) {
      expect(message).toContain(variable);
      expect(message).not.toContain(value);
    }
    expect(message).not.toContain('hunter2');
  });
});

describe('only persisted documents', () => {
  const only = { GESSO_DOCUMENTS_ONLY: 'true' };

  it('can be asked for where there are some', () => {
    const config = readConfig({ ...only, GESSO_DOCUMENTS: 'documents.json' });
    expect(config).toMatchObject({ documents: 'documents.json', documentsOnly: true });
    expect(refusal(only)).toContain('GESSO_DOCUMENTS is not');
  });

  it('are nothing for a router, which makes its own', () => {
    const both = { ...only, GESSO_DOCUMENTS: 'documents.json', GESSO_FEDERATION: 'on' };
    expect(refusal(both)).toContain('GESSO_DOCUMENTS_ONLY and GESSO_FEDERATION are both set');
  });
});

describe('secrets', () => {
  const withAdminKey = (key: string, environment: Environment = {}) =>
    refusal({ ...AROUND, ...environment, GESSO_ADMIN_KEY: key });

  it('may be short while one tries things out, but not in production', () => {
    expect(withAdminKey('12345678')).toBe('It was taken.');
    expect(withAdminKey('1234567')).toContain('GESSO_ADMIN_KEY must have at least 8 characters');
    expect(withAdminKey('123456789012345', { NODE_ENV: 'production' })).toContain(
      'GESSO_ADMIN_KEY must have at least 16 characters',
    );
    expect(withAdminKey('1234567890123456', { NODE_ENV: 'production' })).toBe('It was taken.');
    expect(refusal({ ...AROUND, GESSO_URL_SECRET: '12345678', NODE_ENV: 'production' })).toContain(
      'GESSO_URL_SECRET must have at least 16',
    );
  });

  it('are what an HTTP header can carry', () => {
    for (const key of ['with a space', 'with\nnewline', 'schlüssel']) {
      expect(withAdminKey(key), key).toContain('GESSO_ADMIN_KEY must be printable ASCII');
    }
  });

  it('that sign URLs are given with DATABASE_URL, the same on every replica', () => {
    const DATABASE_URL = 'postgres://db/gesso';
    expect(refusal({ DATABASE_URL })).toContain('GESSO_URL_SECRET must be set with DATABASE_URL');
    expect(refusal({ DATABASE_URL, GESSO_URL_SECRET: 'url-secret-of-the-tests' })).toBe('It was taken.');
  });
});

describe('the key for BetterToken', () => {
  let folder: string;
  const keyFile = (text: string) => {
    const path = join(folder, 'key');
    writeFileSync(path, text);
    return path;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gesso-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('can come from a file, without the line break that editors leave', () => {
    const config = readConfig({ BETTERTOKEN_API_KEY_FILE: keyFile('sk-from-the-file\r\n') });
    expect(config).toMatchObject({ betterTokenApiKey: 'sk-from-the-file', sandbox: false });
  });

  it('is refused where the environment names two', () => {
    const environment = { BETTERTOKEN_API_KEY: 'sk-direct', BETTERTOKEN_API_KEY_FILE: keyFile('sk-file') };
    expect(refusal(environment)).toMatch(/BETTERTOKEN_API_KEY and BETTERTOKEN_API_KEY_FILE are both set/);
  });

  it('of the environment wins over the one of the configuration file, whichever name either uses', () => {
    const file = { BETTERTOKEN_API_KEY: 'sk-of-the-configuration' };
    const environment = { BETTERTOKEN_API_KEY_FILE: keyFile('sk-of-the-environment') };
    expect(readConfig(environment, { file }).betterTokenApiKey).toBe('sk-of-the-environment');
  });

  it('is refused where its file is missing, or holds no key, and the file is named', () => {
    const path = join(folder, 'missing');
    const missing = refusal({ BETTERTOKEN_API_KEY_FILE: path });
    expect(missing).toContain("BETTERTOKEN_API_KEY_FILE can't be read");
    expect(missing).toContain(path);
    expect(refusal({ BETTERTOKEN_API_KEY_FILE: keyFile('\n') })).toContain('names an empty file');
    const spoilt = refusal({ BETTERTOKEN_API_KEY_FILE: keyFile('two words') });
    expect(spoilt).toContain('printable ASCII without spaces');
    expect(spoilt).not.toContain('two words');
  });

  it('is missed where only a base URL is set', () => {
    expect(refusal({ BETTERTOKEN_BASE_URL: 'http://127.0.0.1:1/v1' })).toContain(
      'neither BETTERTOKEN_API_KEY nor BETTERTOKEN_API_KEY_FILE is',
    );
  });
});

describe('the sandbox', () => {
  it('is for those who have no key, and no provider of their own', () => {
    expect(readConfig({}).sandbox).toBe(true);
    expect(readConfig({ BETTERTOKEN_API_KEY: 'sk-key' }).sandbox).toBe(false);
    expect(readConfig({}, { hasProviders: true }).sandbox).toBe(false);
  });

  it('is refused in production: nobody shall serve pretend pictures', () => {
    const production = { NODE_ENV: 'production' };
    expect(refusal(production)).toContain('BETTERTOKEN_API_KEY or BETTERTOKEN_API_KEY_FILE must be set');
    expect(readConfig({ ...production, BETTERTOKEN_API_KEY: 'sk-key' })).toMatchObject({
      production: true,
      sandbox: false,
    });
    expect(readConfig(production, { hasProviders: true }).sandbox).toBe(false);
  });
});

describe('limits of calls', () => {
  it('are a number for each provider', () => {
    const { providerCallsAtOnce } = readConfig({ GESSO_PROVIDER_CALLS_AT_ONCE: 'bettertoken=50, other=20' });
    expect(providerCallsAtOnce).toEqual(
      new Map([
        ['bettertoken', 50],
        ['other', 20],
      ]),
    );
  });

  it.each(['bettertoken', 'bettertoken=0', 'bettertoken=-1', '=5', 'a=1;b=2'])('refuse %j', (text) => {
    expect(() => readConfig({ GESSO_PROVIDER_CALLS_AT_ONCE: text })).toThrow('GESSO_PROVIDER_CALLS_AT_ONCE');
  });
});

describe('a route', () => {
  it('is an order of providers, or weights of them', () => {
    expect(readConfig({}).route).toBeUndefined();
    expect(readConfig({ GESSO_ROUTE: 'bettertoken, other' }).route).toEqual({
      strategy: 'ordered',
      order: ['bettertoken', 'other'],
    });
    expect(readConfig({ GESSO_ROUTE: 'bettertoken=3, other=1' }).route).toEqual({
      strategy: 'weighted',
      weights: { bettertoken: 3, other: 1 },
    });
  });

  it.each(['a,', 'a=0', 'a=1,b', 'a;b', 'A', 'a,b,a', 'a=1,a=2'])('refuses %j', (text) => {
    expect(() => readConfig({ GESSO_ROUTE: text })).toThrow('GESSO_ROUTE');
  });
});

describe('webhooks', () => {
  const secret = 'webhook-secret-of-the-tests';

  it('go to the hosts that are named', () => {
    const { webhookHosts } = readConfig({
      GESSO_WEBHOOK_HOSTS: 'Hooks.example.com, *.example.org',
      GESSO_WEBHOOK_SECRET: secret,
    });
    expect(webhookHosts).toEqual(['hooks.example.com', '*.example.org']);
  });

  it('need a secret to sign with', () => {
    expect(() => readConfig({ GESSO_WEBHOOK_HOSTS: 'hooks.example.com' })).toThrow('GESSO_WEBHOOK_SECRET');
  });

  it.each(['*', 'https://hooks.example.com', 'hooks.example.com:8443', 'a.*.com', 'a,,b'])(
    'refuse the host %j',
    (hosts) => {
      const settings = { GESSO_WEBHOOK_HOSTS: hosts, GESSO_WEBHOOK_SECRET: secret };
      expect(() => readConfig(settings)).toThrow('GESSO_WEBHOOK_HOSTS');
    },
  );
});

describe('retention', () => {
  it('keeps no image longer than its record', () => {
    const settings = { GESSO_KEEP_IMAGES_DAYS: '31', GESSO_KEEP_RECORDS_DAYS: '30' };
    expect(() => readConfig(settings)).toThrow('GESSO_KEEP_IMAGES_DAYS is above GESSO_KEEP_RECORDS_DAYS');
  });
});

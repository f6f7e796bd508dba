import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig, SETTINGS } from '../../src/config.ts';
import { parseS3Url } from '../../src/images/s3-url.ts';
import {
  CLOSING_SECONDS,
  compose,
  DEPLOY,
  deployFile,
  environmentIn,
  interpolate,
  isKnown,
  productionSecrets,
  secondsOf,
  serviceOf,
  variablesIn,
} from '../support/deploy.ts';

describe('deploy/compose.yaml', () => {
  const gateways = [serviceOf('gateway-1'), serviceOf('gateway-2')] as const;
  const services = Object.entries(compose.services);
  const example = environmentIn(deployFile('.env.example'));
  const [{ environment }] = gateways;

  it('gives the gateways settings and nothing else', () => {
    expect(Object.keys(environment).filter((name) => !isKnown(name))).toEqual([]);
    const others = services.filter(([name]) => !name.startsWith('gateway-'));
    const names = others.flatMap(([, service]) => Object.keys(service.environment));
    expect(names.filter((name) => !/^(POSTGRES|GARAGE)_/.test(name))).toEqual([]);
  });

  it('gives both replicas the same, and to each a volume of its own', () => {
    // One image is built, for both.
    const own = ['build', 'pull_policy', 'volumes'];
    const [first, second] = gateways.map((service) =>
      Object.fromEntries(Object.entries(service).filter(([name]) => !own.includes(name))),
    );
    expect(first).toEqual(second);
    const volumes = gateways.flatMap((service) => service.volumes);
    expect(volumes).toEqual(['gateway-1:/data', 'gateway-2:/data']);
  });

  it('takes every secret from .env, where each is explained, and holds none', () => {
    const values = services.flatMap(([, service]) => Object.entries(service.environment));
    const secret = /KEY|SECRET|PASSWORD|DATABASE_URL/;
    expect(values.filter(([name, value]) => secret.test(name) && variablesIn(value).length === 0)).toEqual(
      [],
    );
    expect(new Set(variablesIn(deployFile('compose.yaml')))).toEqual(new Set(Object.keys(example)));
    expect(deployFile('.gitignore').split('\n')).toContain('.env');
  });

  it('starts the product with what new-env.sh makes, and not without', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gesso-deploy-'));
    try {
      cpSync(DEPLOY, folder, { recursive: true, filter: (path) => !path.endsWith('/.env') });
      const make = () => execFileSync('sh', [join(folder, 'new-env.sh')], { stdio: 'pipe' });
      make();
      expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
      const made = environmentIn(readFileSync(join(folder, '.env'), 'utf8'));
      expect(Object.keys(made)).toEqual(Object.keys(example));
      expect(made.STORE_ACCESS_KEY_ID).toMatch(/^GK[0-9a-f]{24}$/);
      expect(made.GESSO_URL_SECRET).toMatch(/^[0-9a-f]{64}$/);
      expect(make).toThrow('its secrets may be in use');

      const start = (values: Record<string, string>) =>
        readConfig(
          Object.fromEntries(Object.entries(environment).map(([k, v]) => [k, interpolate(v, values)])),
        );
      expect(() => start(made)).toThrow('BETTERTOKEN_API_KEY is missing');
      const key = { BETTERTOKEN_API_KEY: 'sk-key' };
      expect(start({ ...made, ...key })).toMatchObject({ production: true, sandbox: false, waitMs: 50_000 });
      expect(() => start({ ...example, ...key })).toThrow(
        'GESSO_URL_SECRET must be printable ASCII without spaces',
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('keeps images in the bucket that the store makes, in its region, on its port', () => {
    const { bucket, endpoint, region } = parseS3Url(environment.GESSO_STORAGE_URL ?? '');
    const { hostname, port } = new URL(endpoint ?? '');
    const store = serviceOf(hostname);
    expect(store.environment.GARAGE_DEFAULT_BUCKET).toBe(bucket);
    expect(store.environment.GARAGE_DEFAULT_ACCESS_KEY).toBe(environment.AWS_ACCESS_KEY_ID);
    expect(store.environment.GARAGE_DEFAULT_SECRET_KEY).toBe(environment.AWS_SECRET_ACCESS_KEY);
    expect(store.healthcheck?.test).toContain(bucket);
    expect(deployFile('garage.toml')).toMatch(new RegExp(`^api_bind_addr = "0.0.0.0:${port}"$`, 'm'));
    expect(deployFile('garage.toml')).toMatch(new RegExp(`^s3_region = "${region}"$`, 'm'));
    expect(deployFile('garage.toml')).toMatch(/^data_fsync = true$/m);
  });

  it('reaches the database that it starts, of a version that will do', () => {
    const { hostname, port, pathname, username } = new URL(
      interpolate(environment.DATABASE_URL ?? '', { POSTGRES_PASSWORD: 'x' }),
    );
    const database = serviceOf(hostname);
    expect(port).toBe('5432');
    expect(database.environment).toMatchObject({ POSTGRES_DB: pathname.slice(1), POSTGRES_USER: username });
    expect(Number(/^postgres:(\d+)/.exec(database.image)?.[1])).toBeGreaterThanOrEqual(15);
  });

  it('waits for what is healthy, of what it can reach', () => {
    for (const [name, service] of services) {
      for (const [other, { condition }] of Object.entries(service.depends_on)) {
        expect(condition, `${name} waits for ${other}`).toBe('service_healthy');
        const shared = serviceOf(other).networks.filter((network) => service.networks.includes(network));
        expect(shared, `${name} and ${other}`).not.toEqual([]);
      }
      // The image of the gateway has its own.
      expect(service.healthcheck !== undefined || name.startsWith('gateway-'), name).toBe(true);
      expect(service.networks.filter((network) => !(network in compose.networks))).toEqual([]);
    }
    expect(Object.keys(serviceOf('proxy').depends_on)).toEqual(['gateway-1', 'gateway-2']);
    expect(serviceOf('proxy').networks).toEqual(['front']);
    expect(compose.networks.back).toEqual({ internal: true });
  });

  it('mounts what is there, and pins every image', () => {
    const sources = services
      .flatMap(([, service]) => service.volumes)
      .map((volume) => volume.split(':')[0] ?? '');
    const missing = sources.filter((source) =>
      source.startsWith('.') ? !existsSync(join(DEPLOY, source)) : !(source in compose.volumes),
    );
    expect(missing).toEqual([]);
    for (const [name, { image, read_only }] of services) {
      expect(image, name).toMatch(/:v?\d+\.\d+/);
      expect(read_only, name).toBe(true);
    }
  });

  it('gives a stop the time of the drain, and cuts no wait off', () => {
    const { drainMs, waitMs } = readConfig({ ...environment, ...productionSecrets });
    for (const service of gateways) {
      expect(secondsOf(service.stop_grace_period)).toBeGreaterThan(drainMs / 1_000 + CLOSING_SECONDS);
    }
    const conf = deployFile('nginx.conf');
    const silence = Number(/proxy_read_timeout (\d+)s;/.exec(conf)?.[1]);
    expect(silence).toBeGreaterThan(waitMs / 1_000);
    const shutdown = Number(/worker_shutdown_timeout (\d+)s;/.exec(conf)?.[1]);
    expect(secondsOf(serviceOf('proxy').stop_grace_period)).toBeGreaterThan(shutdown);
  });

  it('has a proxy in front of both, on the port that they listen on', () => {
    const servers = [...deployFile('nginx.conf').matchAll(/^ *server ([\w-]+):(\d+) /gm)].map(
      ([, ...at]) => at,
    );
    expect(servers).toEqual(['gateway-1', 'gateway-2'].map((name) => [name, SETTINGS.port.default]));
  });
});

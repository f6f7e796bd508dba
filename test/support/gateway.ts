import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pg from 'pg';
import { pino } from 'pino';
import type { Clock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { createGateway, type GatewayOptions } from '../../src/gateway.ts';
import type { Scope } from '../../src/generation.ts';
import { listen } from '../../src/http/listen.ts';
import type { GessoConfig } from '../../src/plugin.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { createTestDatabase } from './database.ts';
import { createGraphqlClient, type GraphqlClient } from './graphql-client.ts';

export const ADMIN_KEY = 'admin-key-of-the-tests';
export const UPSTREAM_KEY = 'sk-upstream-secret-of-the-tests-0123456789';

export interface TestGatewayOptions {
  /** Environment variables on top of the test's defaults. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly upstream?: SandboxOptions;
  readonly extensions?: GessoConfig;
  readonly clock?: Clock;
  readonly webhooks?: GatewayOptions['webhooks'];
}

export interface TestGateway extends GraphqlClient {
  /** Of the listener, without a slash at the end. */
  readonly url: string;
  readonly sandbox: Sandbox;
  readonly dataDir: string;
  readonly databaseUrl: string;
  /** Every log line, as it was written. */
  readonly logLines: readonly string[];
  /** Makes a key of a client, and returns a caller that uses it. */
  createClient(name: string, scopes?: readonly Scope[], imagesPerDay?: number): Promise<GraphqlClient>;
  /** One SQL statement against the ledger. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Stops this gateway and starts another on the same data and upstream. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** A whole gateway over real HTTP, on a fresh database and a sandbox of its own, called with the admin key. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gesso-gateway-'));
  const database = await createTestDatabase();
  const sandbox = await startSandbox({ pictures: 'plain', apiKey: UPSTREAM_KEY, ...options.upstream });
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on('error', () => undefined);
  const logLines: string[] = [];
  const log = pino(
    { level: 'debug' },
    new Writable({
      write(chunk, _encoding, done) {
        logLines.push(String(chunk));
        done();
      },
    }),
  );
  const config = readConfig({
    GESSO_DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    GESSO_URL_SECRET: 'url-secret-of-the-tests',
    GESSO_ADMIN_KEY: ADMIN_KEY,
    BETTERTOKEN_API_KEY: UPSTREAM_KEY,
    BETTERTOKEN_BASE_URL: sandbox.baseUrl,
    GESSO_RETRY_DELAYS_MS: '20,40,60',
    GESSO_DRAIN_MS: '5000',
    ...options.environment,
  });

  async function start() {
    let port = 0;
    const gateway = await createGateway({
      config,
      publicUrl: () => config.publicUrl ?? `http://127.0.0.1:${port}`,
      log,
      ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.webhooks === undefined ? {} : { webhooks: options.webhooks }),
    });
    const listener = await listen({
      fetch: gateway.fetch,
      upgrade: gateway.upgrade,
      port: 0,
      host: '127.0.0.1',
    });
    port = listener.port;
    return {
      url: `http://127.0.0.1:${port}`,
      async stop() {
        const answered = listener.close();
        await gateway.drain();
        listener.cut();
        await answered;
        await gateway.close();
      },
    };
  }

  let running = await start();
  const admin = createGraphqlClient(() => running.url, ADMIN_KEY);
  return {
    ...admin,
    get url() {
      return running.url;
    },
    sandbox,
    dataDir,
    databaseUrl: database.url,
    logLines,
    async createClient(name, scopes = ['images:generate'], imagesPerDay) {
      const { createApiKey } = await admin.query<{ createApiKey: { secret: string } }>(
        `mutation ($input: CreateApiKeyInput!) {
          createApiKey(input: $input) { ... on CreateApiKeySuccess { secret } }
        }`,
        { input: { clientName: name, scopes, imagesPerDay } },
      );
      return createGraphqlClient(() => running.url, createApiKey.secret);
    },
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      const { rows } = await pool.query<Row>(text, [...values]);
      return rows;
    },
    async restart() {
      await running.stop();
      running = await start();
    },
    async close() {
      await running.stop();
      await sandbox.close();
      await pool.end();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A key that no other test uses. */
export const freshKey = (): string => `key-${randomUUID()}`;

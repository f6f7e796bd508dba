import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Clock } from '../../src/clock.ts';
import type { GessoPlugin } from '../../src/plugin.ts';
import { createBetterToken } from '../../src/providers/bettertoken.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { createTestDatabase } from './database.ts';
import { startTestGateway, type TestGateway, UPSTREAM_KEY } from './gateway.ts';
import type { GraphqlClient } from './graphql-client.ts';

/** What tests read of a generation that has a route. */
export interface RoutedGeneration {
  readonly id: string;
  readonly status: string;
  readonly provider: string;
  readonly model: string;
  readonly route: readonly string[];
  readonly failure: { code: string } | null;
  readonly attempts: readonly { number: number; provider: string; outcome: string; requestId: string }[];
}

export interface RoutedGatewaysOptions {
  /** The upstreams, each of them a provider of that name; the first one is the default. */
  readonly providers: readonly string[];
  /** @default all of them in order */
  readonly route?: string;
  /** @default 1 */
  readonly replicas?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly pictures?: SandboxOptions['pictures'];
  readonly clock?: Clock;
}

export interface RoutedGateways {
  readonly gateways: readonly TestGateway[];
  readonly first: TestGateway;
  /** The upstream of that name. */
  upstream(name: string): Sandbox;
  /** The prompts of the calls that an upstream got, by its name; of those alone that contain the word. */
  calls(word?: string): Record<string, number>;
  /** Likewise of those that it billed. */
  billed(word?: string): Record<string, number>;
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  stop(gateway: TestGateway): Promise<void>;
  close(): Promise<void>;
}

/** A plug-in whose providers are upstreams of these names, at these base URLs. */
export const pluginOf = (baseUrls: Readonly<Record<string, string>>, deadlineMs = 600_000): GessoPlugin => ({
  name: 'upstreams',
  providers: Object.entries(baseUrls).map(([name, baseUrl]) =>
    createBetterToken({ name, baseUrl, apiKey: UPSTREAM_KEY, connections: 64, deadlineMs }),
  ),
});

/** Gateways on one database and one storage, that route between several upstreams. */
export async function startRoutedGateways(options: RoutedGatewaysOptions): Promise<RoutedGateways> {
  const {
    providers,
    route = providers.join(','),
    replicas = 1,
    environment = {},
    pictures = 'plain',
  } = options;
  const database = await createTestDatabase();
  const storage = await mkdtemp(join(tmpdir(), 'gesso-routed-'));
  const sandboxes = new Map<string, Sandbox>();
  for (const name of providers) sandboxes.set(name, await startSandbox({ pictures, apiKey: UPSTREAM_KEY }));
  const baseUrls = Object.fromEntries([...sandboxes].map(([name, { baseUrl }]) => [name, baseUrl]));
  const gateways: TestGateway[] = [];
  for (let started = 0; started < replicas; started++) {
    gateways.push(
      await startTestGateway({
        environment: {
          DATABASE_URL: database.url,
          GESSO_STORAGE_URL: storage,
          GESSO_ROUTE: route,
          // Tests of the breaker say otherwise.
          GESSO_BREAKER_FAILURES: '0',
          ...environment,
        },
        extensions: {
          // Made anew for each life of the gateway: it closes what it was given.
          get plugins() {
            return [pluginOf(baseUrls)];
          },
        },
        ...(options.clock === undefined ? {} : { clock: options.clock }),
      }),
    );
  }
  const [first] = gateways;
  if (first === undefined) throw new Error('There is no gateway.');
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on('error', () => undefined);
  const stopped = new Set<TestGateway>();
  async function stop(gateway: TestGateway): Promise<void> {
    if (stopped.has(gateway)) return;
    stopped.add(gateway);
    await gateway.close();
  }
  const count = (kind: 'calls' | 'billed', word: string): Record<string, number> =>
    Object.fromEntries(
      [...sandboxes].map(([name, { journal }]) => [
        name,
        journal[kind](({ prompt }) => prompt?.includes(word) === true).length,
      ]),
    );
  return {
    gateways,
    first,
    upstream(name) {
      const sandbox = sandboxes.get(name);
      if (sandbox === undefined) throw new Error(`There is no upstream called ${name}.`);
      return sandbox;
    },
    calls: (word = '') => count('calls', word),
    billed: (word = '') => count('billed', word),
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      return (await pool.query<Row>(text, [...values])).rows;
    },
    stop,
    async close() {
      for (const gateway of gateways) await stop(gateway);
      for (const sandbox of sandboxes.values()) await sandbox.close();
      await pool.end();
      await database.drop();
      await rm(storage, { recursive: true, force: true });
    },
  };
}

/** The generation as it is now. */
export async function routedGeneration(
  client: GraphqlClient,
  id: string | undefined,
): Promise<RoutedGeneration> {
  const query = `query ($id: ID!) { generation(id: $id) {
    id status provider model route failure { code } attempts { number provider outcome requestId }
  } }`;
  return (await client.query<{ generation: RoutedGeneration }>(query, { id })).generation;
}

/** Each attempt in a word: `first NOT_ACCEPTED`. */
export const attemptsOf = ({ attempts }: RoutedGeneration): string[] =>
  attempts.map(({ provider, outcome }) => `${provider} ${outcome}`);

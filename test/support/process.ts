import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/ledger/embedded/embedded-postgres.ts';
import { createGraphqlClient, type GraphqlClient } from './graphql-client.ts';

export interface GatewayProcessOptions {
  /** Base URL of the upstream. */
  readonly upstreamUrl: string;
  readonly upstreamKey: string;
  /** Environment variables on top of the test's defaults; with `DATABASE_URL`, no PostgreSQL of its own is run. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Run in the place of `gesso start`, for what no setting can say. */
  readonly script?: string;
}

/** How a process ended: one of the two is null. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The product as it is started by people, in a process of its own, called with the admin key. */
export interface GatewayProcess extends GraphqlClient {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Everything that it wrote to the terminal, in all its lives. */
  readonly output: string;
  /** One SQL statement against the ledger. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** A connection of the test's own, for locks; may be lost with the process. To be ended by the test. */
  connect(): Promise<pg.Client>;
  /** Sends the signal, and resolves when the process has ended. */
  kill(signal: NodeJS.Signals): Promise<ProcessEnd>;
  /** Starts it again on the same data, and resolves when it is ready. To be called after `kill`. */
  restart(): Promise<void>;
  /** Ends what is left of it, and removes its data. */
  close(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ADMIN_KEY = 'admin-key-of-the-tests';
const READY_MS = 30_000;
const EXIT_MS = 15_000;

/**
 * Runs `gesso start` on a folder of its own, and resolves when it is ready.
 *
 *     const gateway = await startGatewayProcess({ upstreamUrl: sandbox.baseUrl, upstreamKey });
 *     afterAll(() => gateway.close());
 */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { upstreamUrl, upstreamKey, environment = {}, script } = options;
  const dataDir = await mkdtemp(join(tmpdir(), 'gesso-process-'));
  const embedded = environment.DATABASE_URL === undefined;
  let output = '';

  function launch(): ChildProcess {
    const started = spawn(process.execPath, script === undefined ? [MAIN, 'start'] : [script], {
      // Its own folder, so that no gesso.config.ts of this checkout is read; and none of our environment.
      cwd: dataDir,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        PORT: '0',
        GESSO_DATA_DIR: dataDir,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_ADMIN_KEY: ADMIN_KEY,
        GESSO_RETRY_DELAYS_MS: '20,40,60',
        BETTERTOKEN_API_KEY: upstreamKey,
        BETTERTOKEN_BASE_URL: upstreamUrl,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [started.stdout, started.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return started;
  }

  async function untilReady(started: ChildProcess, from: number): Promise<string> {
    const deadline = performance.now() + READY_MS;
    while (performance.now() < deadline && started.exitCode === null && started.signalCode === null) {
      const port = /Gesso is ready: http:\/\/localhost:(\d+)\//.exec(output.slice(from))?.[1];
      const url = `http://127.0.0.1:${port}`;
      if (port !== undefined && (await fetch(`${url}/readyz`)).status === 200) return url;
      await delay(20);
    }
    throw new Error(`The gateway did not get ready:\n${output.slice(from)}`);
  }

  let child: ChildProcess;
  let url = '';
  async function start(): Promise<void> {
    const from = output.length;
    child = launch();
    try {
      url = await untilReady(child, from);
    } catch (error) {
      await end('SIGKILL');
      throw error;
    }
  }

  async function end(signal: NodeJS.Signals): Promise<ProcessEnd> {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit', { signal: AbortSignal.timeout(EXIT_MS) });
      child.kill(signal);
      await exited.catch(async (error: unknown) => {
        child.kill('SIGKILL');
        throw new Error(`The gateway did not end within ${EXIT_MS} ms of ${signal}:\n${output}`, {
          cause: error,
        });
      });
    }
    return { code: child.exitCode, signal: child.signalCode };
  }

  async function connect(): Promise<pg.Client> {
    const connection: pg.ClientConfig = embedded
      ? (await startEmbeddedPostgres({ dataDir, role: 'guest' })).connection
      : { connectionString: environment.DATABASE_URL };
    const client = new pg.Client({ ...connection });
    // The embedded server goes with the gateway that the test kills.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  await start();
  return {
    ...createGraphqlClient(() => url, ADMIN_KEY),
    get url() {
      return url;
    },
    get pid() {
      return child.pid ?? 0;
    },
    dataDir,
    get output() {
      return output;
    },
    connect,
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      const client = await connect();
      try {
        return (await client.query<Row>(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    kill: end,
    restart: start,
    async close() {
      await end('SIGKILL');
      // A killed gateway leaves its server running; the next one on the folder, this one, stops it.
      if (embedded) await (await startEmbeddedPostgres({ dataDir, role: 'gateway' })).close();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

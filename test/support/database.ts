import { randomUUID } from 'node:crypto';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { inject } from 'vitest';
import type { EmbeddedConnection } from '../../src/ledger/embedded/embedded-postgres.ts';

export interface TestDatabase {
  readonly url: string;
  /** Removes it; whoever is still connected is cut off. */
  drop(): Promise<void>;
}

/**
 * A fresh, empty database on the server that all test files share (see `postgres-global.ts`), in some 30 ms.
 *
 *     const database = await createTestDatabase();
 *     afterAll(() => database.drop());
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  server ??= findServer();
  const connection = await server;
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await execute(connection, `CREATE DATABASE ${name}`);
  return {
    url: urlOf({ ...connection, database: name }),
    drop: () => execute(connection, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

let server: Promise<EmbeddedConnection> | undefined;

async function findServer(): Promise<EmbeddedConnection> {
  const answer: unknown = JSON.parse(await text(createConnection(inject('testPostgres'))));
  if (isAnswer(answer)) return answer.connection;
  throw new Error(`There is no PostgreSQL to test with: ${JSON.stringify(answer)}`);
}

const isAnswer = (answer: unknown): answer is { connection: EmbeddedConnection } =>
  typeof answer === 'object' && answer !== null && 'connection' in answer;

async function execute(connection: EmbeddedConnection, sql: string): Promise<void> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** The folder of a Unix socket goes into the query, as node-postgres and libpq have it. */
function urlOf({ user, password, host, port, database }: EmbeddedConnection): string {
  const isSocket = host.startsWith('/');
  const url = new URL(`postgres://${user}:${password}@${isSocket ? 'localhost' : host}:${port}/${database}`);
  if (isSocket) url.searchParams.set('host', host);
  return url.href;
}

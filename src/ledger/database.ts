import { CamelCasePlugin, Kysely, type LogConfig, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { GatewayUnavailableError } from '../errors.ts';
import { PreparingClient } from './prepared.ts';
import type { Tables } from './tables.ts';

export type Database = Kysely<Tables>;
export type DatabaseTransaction = Transaction<Tables>;

export interface DatabaseOptions {
  readonly connection: pg.PoolConfig;
  /** Connections held at most. @default 10 */
  readonly poolSize?: number;
  /** How long a statement waits for a free connection, in milliseconds. @default 10000 */
  readonly acquireTimeoutMs?: number;
  /**
   * After so long without a statement a transaction is ended, in milliseconds: nothing is done in between that takes time.
   * @default 10000
   */
  readonly idleInTransactionMs?: number;
  /** Told of connections that were lost; the pool replaces them by itself. */
  readonly onLostConnection: (error: Error) => void;
  readonly log?: LogConfig;
}

/** A `date` stays the text that it is: as a `Date` it would shift with the machine's time zone. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.DATE ? (value: string) => value : pg.types.getTypeParser(oid, format),
} as pg.CustomTypesConfig;

/** Opens the pool. Rows come back with camelCase keys; what lies inside JSON columns is left alone. */
export function openDatabase(options: DatabaseOptions): { db: Database; pool: pg.Pool } {
  const {
    connection,
    poolSize = 10,
    acquireTimeoutMs = 10_000,
    idleInTransactionMs = 10_000,
    onLostConnection,
    log,
  } = options;
  const pool = new pg.Pool({
    application_name: 'gesso',
    keepAlive: true,
    types,
    Client: PreparingClient,
    ...connection,
    max: poolSize,
    connectionTimeoutMillis: acquireTimeoutMs,
    // A replica that stands still in a transaction must not hold its locks until it goes on. Said by a statement, because
    // poolers refuse it as a parameter of the connection.
    async onConnect(client) {
      await client.query(`set idle_in_transaction_session_timeout = ${idleInTransactionMs}`);
    },
  });
  // A client that is lent to a transaction is listened to by nobody between two statements; unheard, its loss would end
  // the process. Its next statement rejects by itself. The pool tells of idle clients a second time.
  pool.on('connect', (client) => client.on('error', onLostConnection));
  pool.on('error', () => undefined);
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
    ...(log === undefined ? {} : { log }),
  });
  return { db, pool };
}

/** Whether the statement failed because the database could not be reached, rather than for what it said. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  // The system's (ECONNRESET, EAI_AGAIN), asked first because EPIPE has five characters too; no SQLSTATE begins with
  // E, and Node's own mistakes begin with ERR_.
  if (typeof code === 'string' && /^E(?!RR_)[A-Z_]{2,}$/.test(code)) return true;
  // A SQLSTATE has five characters; 08 is a connection exception, 57P a shutdown, 53300 too many connections, 25006
  // a server that became read-only, as the old primary does in a failover.
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return code.startsWith('08') || code.startsWith('57P') || code === '53300' || code === '25006';
  }
  return /timeout exceeded when trying to connect|timeout expired|Query read timeout|Connection terminated|Client has encountered a connection error|not queryable/.test(
    error.message,
  );
}

/**
 * What the ledger answers.
 * @throws {GatewayUnavailableError} with this message where it could not be reached; else what it threw.
 */
export async function orUnavailable<Result>(answer: Promise<Result>, message: string): Promise<Result> {
  try {
    return await answer;
  } catch (error) {
    throw isConnectionError(error) ? new GatewayUnavailableError(message, { cause: error }) : error;
  }
}

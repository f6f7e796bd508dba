import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { checkNewApiKey } from '../../api-key-rules.ts';
import type { Config } from '../../config.ts';
import { InvalidInputError } from '../../errors.ts';
import { connect } from '../../gateway/records.ts';
import {
  type ApiKey,
  createApiKey,
  findApiKey,
  listApiKeys,
  publicIdOf,
  revokeApiKey,
} from '../../ledger/api-keys.ts';
import { clientsById } from '../../ledger/clients.ts';
import { type Database, openDatabase } from '../../ledger/database.ts';
import { migrate } from '../../ledger/migrate.ts';
import { loadConfig } from '../config-file.ts';
import { CommandFailure, EXIT, misuse } from '../exit-codes.ts';
import { printJson, printJsonLine } from '../terminal/json.ts';
import { timeAgo } from '../terminal/quantities.ts';
import { styleOf } from '../terminal/style.ts';
import { type Column, table } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface NewKey {
  readonly client: string;
  readonly scopes: readonly string[];
  readonly imagesPerDay: number | undefined;
  readonly json: boolean;
}

/** Makes a key, and prints its secret, this once. @throws {CommandFailure} for a scope that there is none of. */
export async function createKey(
  { stdout, stderr }: Terminal,
  { client, scopes, imagesPerDay, json }: NewKey,
): Promise<void> {
  const key = checked({ clientName: client, scopes: [...scopes], imagesPerDay });
  await withDatabase(async (db) => {
    const { secret } = await createApiKey(db, { ...key, requestId: `cli:${uuidv7()}` }, new Date());
    if (json) {
      printJson(stdout, {
        key: publicIdOf(secret),
        secret,
        client,
        scopes,
        imagesPerDay: imagesPerDay ?? null,
      });
    } else {
      stdout.write(`${secret}\n`);
    }
    // Beside standard output, so that a script that reads the key reads nothing else.
    if (stdout.isTTY === true) stderr.write('Shown this once: only its hash is kept.\n');
  });
}

/** The rules of the API, with the names that options have. */
function checked(key: Parameters<typeof checkNewApiKey>[0]): ReturnType<typeof checkNewApiKey> {
  try {
    return checkNewApiKey(key);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const broken = error.issues.map(
      ({ path, message }) => `${OPTION_OF[path.at(-1) ?? ''] ?? path.join('.')} ${message}`,
    );
    throw misuse(broken.join(' '));
  }
}

const OPTION_OF: Readonly<Record<string, string>> = {
  clientName: 'The name of the client',
  scopes: '--scopes',
  imagesPerDay: '--images-per-day',
};

/** A key, and whose it is. */
type Listed = ApiKey & { readonly clientName: string };

const minute = (date: Date | undefined) => date?.toISOString().slice(0, 16).replace('T', ' ') ?? '-';

/** @param ago how moments are told; people at a terminal rather read how long ago they were. */
const columnsOf = (ago: (date: Date | undefined) => string): readonly Column<Listed>[] => [
  { header: 'KEY', text: ({ publicId }) => publicId },
  {
    header: 'CLIENT',
    text: ({ clientName }) => clientName,
    look: (_key, style) => style.bold,
    least: 12,
  },
  { header: 'SCOPES', text: ({ scopes }) => scopes.join(','), least: 15 },
  { header: 'IMAGES/DAY', text: ({ imagesPerDay }) => String(imagesPerDay ?? '-') },
  { header: 'CREATED', text: ({ createdAt }) => ago(createdAt), look: dim, expendable: 2 },
  { header: 'LAST USED', text: ({ lastUsedAt }) => ago(lastUsedAt), look: dim, expendable: 1 },
  {
    header: 'STATE',
    text: ({ revokedAt }) => (revokedAt === undefined ? 'active' : `revoked ${ago(revokedAt)}`),
    look: ({ revokedAt }, style) => (revokedAt === undefined ? style.green : style.dim),
  },
];

function dim(_row: unknown, style: { dim: (text: string) => string }) {
  return style.dim;
}

/** Prints all keys, newest first. */
export function listKeys({ stdout, now }: Terminal, { json }: { json: boolean }): Promise<void> {
  return withDatabase(async (db, { dataDir, databaseUrl }) => {
    const keys: Listed[] = [];
    for await (const key of allKeys(db)) {
      if (json) printJsonLine(stdout, shownKey(key));
      else keys.push(key);
    }
    if (json) return;
    if (keys.length === 0) {
      stdout.write(`There are no keys in ${databaseUrl === undefined ? dataDir : 'this database'}.\n`);
      return;
    }
    const atTerminal = stdout.isTTY === true;
    const ago = (date: Date | undefined) => (date === undefined ? '-' : timeAgo(date, now()));
    const lines = table(keys, columnsOf(atTerminal ? ago : minute), {
      columns: atTerminal ? (stdout.columns ?? 80) : undefined,
      style: styleOf(stdout),
    });
    stdout.write(`${lines.join('\n')}\n`);
  });
}

const shownKey = ({
  publicId,
  clientName,
  scopes,
  imagesPerDay,
  createdAt,
  lastUsedAt,
  revokedAt,
}: Listed) => ({
  key: publicId,
  client: clientName,
  scopes,
  imagesPerDay: imagesPerDay ?? null,
  createdAt,
  lastUsedAt: lastUsedAt ?? null,
  revokedAt: revokedAt ?? null,
});

async function* allKeys(db: Database): AsyncGenerator<Listed> {
  for (let after: string | undefined; ; ) {
    const page = await listApiKeys(db, { limit: 100, after, before: undefined, inverted: false });
    if (page.length === 0) return;
    const clients = await clientsById(db, [...new Set(page.map(({ clientId }) => clientId))]);
    const nameOf = new Map(clients.map(({ id, name }) => [id, name]));
    for (const key of page) yield { ...key, clientName: nameOf.get(key.clientId) ?? key.clientId };
    after = page.at(-1)?.id;
  }
}

/** Revokes the key of this public id. @throws {CommandFailure} where there is none. */
export function revokeKey({ stdout, program }: Terminal, publicId: string): Promise<void> {
  return withDatabase(async (db) => {
    const key = await findApiKey(db, publicId);
    if (key === undefined) {
      throw new CommandFailure(EXIT.failed, {
        happened: `There is no key "${publicId}".`,
        advice: `See ${program} keys list.`,
      });
    }
    await revokeApiKey(db, key.id, `cli:${uuidv7()}`, new Date());
    stdout.write(`Revoked ${publicId} of ${key.clientName}.\n`);
  });
}

/** Joins the gateway's database where one runs, and runs the embedded one for a moment where none does. */
async function withDatabase(work: (db: Database, config: Config) => Promise<void>): Promise<void> {
  const { config } = await loadConfig();
  const server = await connect(config, pino({ level: 'warn' }, pino.destination(2)), 'guest');
  const { db } = openDatabase({
    connection: server.connection,
    poolSize: 2,
    onLostConnection: () => undefined,
  });
  try {
    await migrate(db);
    await work(db, config);
  } finally {
    await db.destroy();
    await server.close();
  }
}

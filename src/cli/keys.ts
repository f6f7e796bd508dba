import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { checkNewApiKey } from '../api-key-rules.ts';
import type { Config } from '../config.ts';
import { InvalidInputError } from '../errors.ts';
import { connect } from '../gateway/records.ts';
import { createApiKey, findApiKey, listApiKeys, revokeApiKey } from '../ledger/api-keys.ts';
import { clientsById } from '../ledger/clients.ts';
import { type Database, openDatabase } from '../ledger/database.ts';
import { migrate } from '../ledger/migrate.ts';
import { loadConfig } from './config-file.ts';

/** `gesso keys`: makes, lists and revokes API keys, beside a running gateway or without one. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('Make, list and revoke API keys.');
  keys
    .command('create')
    .description('Make a key; it is printed this once.')
    .argument('<client>', 'name of the application; made if there is none')
    .option('--scopes <scopes>', 'comma-separated', 'images:generate')
    .option('--images-per-day <number>', 'limit per UTC day', wholeNumber)
    .action(async (client: string, options: { scopes: string; imagesPerDay?: number }) => {
      const key = checkNewApiKey({
        clientName: client,
        scopes: options.scopes.split(',').map((scope) => scope.trim()),
        imagesPerDay: options.imagesPerDay,
      });
      await withDatabase(async (db) => {
        const { secret } = await createApiKey(db, { ...key, requestId: `cli:${uuidv7()}` }, new Date());
        console.log(secret);
        // Beside standard output, so that a script that reads the key reads nothing else.
        if (process.stdout.isTTY) console.error('Shown this once: only its hash is kept.');
      });
    });
  keys
    .command('list')
    .description('List all keys, newest first.')
    .action(() => withDatabase(printKeys));
  keys
    .command('revoke')
    .description('Stop a key at once, on every replica.')
    .argument('<key>', 'the 16 characters that `list` shows')
    .action((publicId: string) =>
      withDatabase(async (db) => {
        const key = await findApiKey(db, publicId);
        if (key === undefined) {
          const message = `"${publicId}" is none of those that \`gesso keys list\` shows.`;
          throw new InvalidInputError([{ path: ['key'], message }]);
        }
        await revokeApiKey(db, key.id, `cli:${uuidv7()}`, new Date());
        console.log(`Revoked ${publicId} of ${key.clientName}.`);
      }),
    );
  return keys;
}

async function printKeys(db: Database, { dataDir, databaseUrl }: Config): Promise<void> {
  const rows: string[][] = [['KEY', 'CLIENT', 'SCOPES', 'IMAGES/DAY', 'CREATED', 'LAST USED', 'STATE']];
  const minute = (date: Date | undefined) => date?.toISOString().slice(0, 16).replace('T', ' ') ?? '-';
  for (let after: string | undefined; ; ) {
    const page = await listApiKeys(db, { limit: 100, after, before: undefined, inverted: false });
    if (page.length === 0) break;
    const clients = await clientsById(db, [...new Set(page.map(({ clientId }) => clientId))]);
    const nameOf = new Map(clients.map(({ id, name }) => [id, name]));
    for (const key of page) {
      const { publicId, clientId, scopes, imagesPerDay, createdAt, lastUsedAt, revokedAt } = key;
      const limit = imagesPerDay === undefined ? '-' : String(imagesPerDay);
      const state = revokedAt === undefined ? 'active' : `revoked ${minute(revokedAt)}`;
      const name = nameOf.get(clientId) ?? clientId;
      rows.push([publicId, name, scopes.join(','), limit, minute(createdAt), minute(lastUsedAt), state]);
    }
    after = page.at(-1)?.id;
  }
  if (rows.length === 1) {
    console.log(`There are no keys in ${databaseUrl === undefined ? dataDir : 'this database'}.`);
    return;
  }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
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

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}

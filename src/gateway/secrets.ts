import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { anyUsableApiKey, createApiKey, findApiKey, publicIdOf, sha256Hex } from '../ledger/api-keys.ts';
import { ensureClient } from '../ledger/clients.ts';
import type { Database } from '../ledger/database.ts';

/** The secret in the file, or undefined where there is no file. */
async function readSecret(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written aside and renamed, so that a crash leaves no half secret. */
async function writeSecret(path: string, secret: string): Promise<void> {
  const aside = `${path}.new`;
  await writeFile(aside, `${secret}\n`, { mode: 0o600 });
  await chmod(aside, 0o600);
  await rename(aside, path);
}

/** What signs image URLs: as configured, or made once in the data folder. */
export async function urlSecret(config: Config): Promise<string> {
  if (config.urlSecret !== undefined) return config.urlSecret;
  const path = join(config.dataDir, 'url-secret');
  const kept = await readSecret(path);
  if (kept !== undefined) return kept;
  const secret = randomBytes(32).toString('base64url');
  await writeSecret(path, secret);
  return secret;
}

/** A key for the first steps, and the file that keeps it. */
export interface DevelopmentKey {
  readonly path: string;
  /** Only when it was made just now. */
  readonly secret: string | undefined;
}

/**
 * The development key: made when there is no key at all, so that a newcomer can call at once; undefined where it
 * no longer works, in production, or where other keys were made first.
 */
export async function developmentKey(
  config: Config,
  db: Database,
  clock: Clock,
): Promise<DevelopmentKey | undefined> {
  if (config.production) return undefined;
  const path = join(config.dataDir, 'development-key');
  const kept = await readSecret(path);
  const publicId = kept === undefined ? undefined : publicIdOf(kept);
  if (kept !== undefined && publicId !== undefined) {
    const key = await findApiKey(db, publicId);
    const works = key !== undefined && key.revokedAt === undefined && key.secretSha256 === sha256Hex(kept);
    if (works) return { path, secret: undefined };
  }
  if (config.adminKey !== undefined || (await anyUsableApiKey(db))) return undefined;
  const { secret } = await createApiKey(
    db,
    { clientName: 'development', scopes: ['admin'], imagesPerDay: undefined, requestId: 'first-start' },
    clock.now(),
  );
  await writeSecret(path, secret);
  return { path, secret };
}

/** The caller behind `GESSO_ADMIN_KEY`. */
export async function bootstrapKey(config: Config, db: Database, clock: Clock) {
  if (config.adminKey === undefined) return undefined;
  const client = await ensureClient(db, 'admin', clock.now());
  return {
    sha256: sha256Hex(config.adminKey),
    principal: {
      clientId: client.id,
      clientName: client.name,
      apiKeyId: undefined,
      scopes: new Set(['admin'] as const),
      imagesPerDay: undefined,
    },
  };
}

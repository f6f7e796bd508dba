import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { ConfigError } from '../../errors.ts';
import type { FolderLayout } from './folder-layout.ts';
import { unlessMissing } from './system-error.ts';

/** Reads the server's password, or makes one; it is on the disk, mode 0600, when this resolves. */
export async function ensurePassword(layout: FolderLayout): Promise<string> {
  const existing = await unlessMissing(readFile(layout.password, 'utf8'));
  if (existing !== undefined) return existing.trim();
  const password = randomBytes(24).toString('base64url');
  const aside = `${layout.password}.new`;
  const file = await open(aside, 'w', 0o600);
  try {
    await file.writeFile(`${password}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, layout.password);
  return password;
}

/** @throws {ConfigError} when the password of an existing database is gone. */
export async function readPassword(layout: FolderLayout): Promise<string> {
  const password = await unlessMissing(readFile(layout.password, 'utf8'));
  if (password !== undefined) return password.trim();
  throw new ConfigError(
    `${layout.password} is missing, and the database in ${layout.cluster} can't be opened without it. ` +
      'Restore the file, or give Gesso another data folder.',
  );
}

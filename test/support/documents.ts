import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What Apollo's clients send for a persisted query. */
export const apolloHash = (text: string) => ({
  extensions: { persistedQuery: { version: 1, sha256Hash: sha256Of(text) } },
});

/** A manifest on disk, with texts by their identifiers. */
export async function writtenManifest(texts: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-documents-'));
  const path = join(folder, 'persisted-documents.json');
  await writeFile(path, JSON.stringify(texts));
  return { path, remove: () => rm(folder, { recursive: true }) };
}

/** Asks by GET; what is no text goes as JSON. */
export async function get(
  gateway: { readonly url: string },
  parameters: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
) {
  const texts = Object.entries(parameters).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const response = await fetch(`${gateway.url}/graphql?${new URLSearchParams(texts)}`, { headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as {
      data?: Record<string, unknown> | null;
      errors?: { message: string; extensions?: Record<string, unknown> }[];
    },
  };
}

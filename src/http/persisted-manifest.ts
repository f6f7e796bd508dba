import { readFile } from 'node:fs/promises';
import type { GraphQLError } from 'graphql';
import { z } from 'zod';
import { ConfigError } from '../errors.ts';
import { sha256Hex } from '../ledger/api-keys.ts';

/** Documents that were persisted when their clients were built. */
export interface Manifest {
  readonly path: string;
  /** Texts by what requests name them by: see `keyOf`. */
  readonly documents: ReadonlyMap<string, string>;
}

/**
 * `@apollo/generate-persisted-query-manifest` writes this.
 * https://www.apollographql.com/docs/graphos/platform/security/persisted-queries
 */
const apolloManifest = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(z.object({ id: z.string(), body: z.string() })),
  })
  .transform(({ operations }) => operations.map(({ id, body }): [string, string] => [id, body]));

/** Relay's `persistConfig` and GraphQL Code Generator's `persistedDocuments` write this: text by id. */
const textById = z.record(z.string(), z.string());

/** A SHA-256 in hex, bare or with the draft's prefix. */
const SHA256_ID = /^(?:sha256:)?([0-9a-f]{64})$/;
/** How many faults one message tells of. */
const FAULTS_TOLD = 5;

/**
 * One key for an identifier, however it is written: `sha256:<hex>`, as the GraphQL over HTTP draft has it, is the bare
 * hex of Apollo and Relay. Any other identifier is its own.
 */
export const keyOf = (id: string): string => SHA256_ID.exec(id)?.[1] ?? id;

/**
 * Reads a manifest in any of the formats that build tools write. Every document is found by the SHA-256 of its text
 * too, whatever it is called.
 * @throws {ConfigError} that names the file, and the document where one is wrong.
 */
export async function readManifest(path: string): Promise<Manifest> {
  const documents = new Map<string, string>();
  for (const [id, text] of entriesOf(path, await readJson(path))) {
    const key = keyOf(id);
    const hash = sha256Hex(text);
    if (SHA256_ID.test(id) ? key !== hash : id.startsWith('sha256:')) {
      throw new ConfigError(`${path}: "${id}" is not the SHA-256 of its document, which is ${hash}.`);
    }
    const other = documents.get(key);
    if (other !== undefined && other !== text) {
      throw new ConfigError(`${path}: "${id}" stands for two different documents.`);
    }
    documents.set(key, text).set(hash, text);
  }
  if (documents.size === 0) throw new ConfigError(`${path} holds no document.`);
  return { path, documents };
}

/**
 * Makes sure that every document can be run here.
 * @throws {ConfigError} that names the file and the documents.
 */
export function checkManifest(
  { path, documents }: Manifest,
  errorsOf: (text: string) => readonly GraphQLError[],
): void {
  const faults = new Map<string, string>();
  for (const [key, text] of documents) {
    // Under each of its names it is the same document.
    if (faults.has(text)) continue;
    const [error] = errorsOf(text);
    if (error !== undefined) faults.set(text, `"${key}": ${error.message}`);
  }
  if (faults.size === 0) return;
  const told = [...faults.values()].slice(0, FAULTS_TOLD).join('; ');
  const more = faults.size > FAULTS_TOLD ? `; and ${faults.size - FAULTS_TOLD} more` : '';
  throw new ConfigError(`${path} has documents that can't be run here: ${told}${more}.`);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${path} can't be read as JSON: ${(error as Error).message}`, { cause: error });
  }
}

function entriesOf(path: string, json: unknown): [id: string, text: string][] {
  const format = typeof json === 'object' && json !== null && 'format' in json ? json.format : undefined;
  const manifest = format === undefined ? textById.transform(Object.entries<string>) : apolloManifest;
  const parsed = manifest.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const what = issue === undefined ? '' : ` (${issue.path.join('.') || 'the whole'}: ${issue.message})`;
  throw new ConfigError(`${path} is no manifest of Apollo, Relay or GraphQL Code Generator${what}.`);
}

import { matchesGlob } from 'node:path';
import type { Import, SourceFile } from './imports.ts';

/** A part of `src/` and what it may import, as patterns of paths from `src/`. */
export interface Room {
  readonly files: readonly string[];
  /** Files that it may import anything from. */
  readonly may: readonly string[];
  /** Contracts: files that it may import types from. */
  readonly types?: readonly string[];
  /** Single values of files that it may otherwise import types from at most. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
}

const NOUNS = ['generation.ts', 'errors.ts'];
const RING = 'middleware/middleware.ts';
const PROVIDER = 'providers/provider.ts';

/** The table under "Rooms" in docs/architecture.md. The first room that a file fits in is its room. */
export const ROOMS: readonly Room[] = [
  { files: NOUNS, may: NOUNS },
  { files: ['clock.ts'], may: [] },
  { files: ['fingerprint.ts', 'api-key-rules.ts', 'provider-health.ts'], may: NOUNS },
  { files: ['provider-circuit.ts'], may: [] },
  { files: ['routing.ts'], may: NOUNS, types: [PROVIDER] },
  {
    files: ['generation-input.ts'],
    may: [...NOUNS, 'fingerprint.ts', 'webhooks/webhook-url.ts'],
    types: [RING],
  },
  { files: ['setting-types.ts'], may: [] },
  { files: ['settings.ts'], may: ['setting-types.ts'] },
  { files: ['config.ts'], may: [...NOUNS, 'settings.ts'] },
  { files: ['pipeline.ts'], may: NOUNS, types: [RING] },
  { files: ['plugin-shape.ts'], may: NOUNS },
  {
    files: ['plugin.ts'],
    may: [...NOUNS, 'plugin-shape.ts'],
    types: [
      ...['config.ts', 'pipeline.ts', 'routing.ts', 'audit-sinks/audit-sink.ts', 'http/hooks.ts'],
      ...['schema/extension.ts', 'routing.ts', RING, PROVIDER],
    ],
  },

  // What vendors of one wire share is a room that each may enter; a sibling provider never is.
  { files: [PROVIDER], may: NOUNS },
  { files: ['providers/openai-wire/**'], may: [...NOUNS, PROVIDER, 'providers/openai-wire/**'] },
  {
    files: ['providers/ai-sdk.ts', 'providers/ai-sdk/**'],
    may: [
      ...[...NOUNS, PROVIDER, 'providers/openai-wire/**', 'providers/ai-sdk/**'],
      // How pictures are decoded within bounds, and how a host that an answer names is resolved.
      ...['images/{places,png-header,vips}.ts', 'webhooks/{guarded-lookup,public-address}.ts'],
    ],
  },
  { files: ['providers/*.ts'], may: [...NOUNS, PROVIDER, 'providers/openai-wire/**'] },

  { files: ['images/**'], may: [...NOUNS, 'images/**'] },
  { files: ['ledger/**'], may: [...NOUNS, 'ledger/**'] },
  {
    files: ['middleware/*.ts'],
    may: NOUNS,
    types: [RING, 'ledger/*.ts', PROVIDER, 'provider-circuit.ts'],
  },

  {
    files: ['schema/**'],
    // The rules of inputs, which the command line shares.
    may: [...NOUNS, 'schema/**', 'generation-input.ts', 'api-key-rules.ts'],
    types: ['ledger/*.ts', RING],
    // The words of an enum, and arithmetic on dates.
    values: { 'ledger/audit.ts': ['AUDIT_ACTIONS'], 'ledger/quota.ts': ['utcDay', 'endOfUtcDay'] },
  },
  {
    files: ['dispatcher.ts', 'dispatcher/**'],
    may: [...NOUNS, 'clock.ts', 'dispatcher/**', 'ledger/*.ts', 'images/**'],
    types: [RING, PROVIDER, 'routing.ts'],
  },
  {
    files: ['webhooks/**'],
    may: [...NOUNS, 'clock.ts', 'webhooks/**', 'ledger/persist.ts'],
    types: ['ledger/webhook-jobs.ts'],
  },
  {
    files: ['retention/**'],
    may: [...NOUNS, 'clock.ts', 'retention/**', 'ledger/*.ts', 'images/**'],
  },
  { files: ['audit-sinks/**'], may: [...NOUNS, 'clock.ts', 'audit-sinks/**', 'ledger/*.ts'] },
  {
    files: ['http/**'],
    may: [...NOUNS, 'http/**', 'images/**', 'ledger/api-keys.ts'],
    types: ['schema/context.ts'],
    // What one operation may ask for is counted before it is executed.
    values: { 'generation-input.ts': ['MAX_IMAGES_AT_ONCE'] },
  },

  // The composition root, and what it is made of.
  {
    files: ['gateway/**'],
    may: [
      ...[...NOUNS, 'clock.ts', 'gateway/**', 'http/**', 'ledger/**', 'images/**', 'webhooks/**'],
      ...['schema/build.ts', 'provider-circuit.ts', 'provider-health.ts'],
    ],
    types: ['config.ts', 'plugin.ts', 'schema/{context,extension}.ts', RING, PROVIDER],
  },
  {
    files: ['gateway.ts'],
    may: [
      ...[...NOUNS, 'clock.ts', 'dispatcher.ts', 'pipeline.ts', 'routing.ts', 'gateway/**'],
      ...['http/**', 'images/**', 'ledger/**', 'middleware/**', 'providers/**', 'retention/**'],
      ...['audit-sinks/**', 'plugin.ts'],
    ],
    types: ['config.ts'],
  },

  { files: ['sandbox/**'], may: [...NOUNS, 'sandbox/**'] },
  {
    // The suites that plug-ins of other repositories call, with what they need.
    files: ['testing/**'],
    may: [...NOUNS, 'fingerprint.ts', 'sandbox/**', 'testing/**'],
    types: ['ledger/run.ts', 'images/blob-store.ts', RING, PROVIDER],
  },
  // It runs in browsers too: of the gateway it knows what the schema says, and nothing else.
  { files: ['client/**'], may: ['client/**'] },
  {
    files: ['cli/start.ts', 'cli/sandbox.ts'],
    may: [...NOUNS, 'cli/**', 'gateway.ts', 'http/listen.ts', 'sandbox/sandbox.ts'],
    types: ['config.ts'],
  },
  {
    files: ['cli/**'],
    may: [
      ...[...NOUNS, 'cli/**', 'config.ts', 'settings.ts', 'api-key-rules.ts', 'gateway/records.ts'],
      ...['ledger/*.ts', 'ledger/embedded/embedded-postgres.ts', 'client/index.ts'],
      ...['images/open-store.ts', 'images/blob-key.ts', 'images/transform.ts', 'plugin.ts'],
    ],
    types: ['images/blob-store.ts'],
  },
  { files: ['main.ts'], may: ['cli/program.ts'] },
  {
    // What plug-ins may lean on.
    files: ['index.ts'],
    may: [...NOUNS, 'config.ts', 'gateway.ts', 'pipeline.ts', 'plugin.ts'],
    types: [
      ...['audit-sinks/audit-sink.ts', 'http/hooks.ts', 'images/blob-store.ts', 'ledger/{audit,clients}.ts'],
      ...['schema/extension.ts', 'routing.ts', RING, PROVIDER],
    ],
  },
];

const fits = (path: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) => matchesGlob(path, pattern));

export const roomOf = (path: string): Room | undefined => ROOMS.find(({ files }) => fits(path, files));

/** What is wrong with the import, or undefined. */
export function breachOf({ from, line, to, values }: Import): string | undefined {
  const room = roomOf(from);
  const where = `src/${from}:${line}`;
  if (room === undefined) return `${where}: no room is planned for this file`;
  if (fits(to, room.may)) return undefined;
  const allowed = room.values?.[to];
  if (allowed === undefined && !fits(to, room.types ?? [])) return `${where}: may not import ${to}`;
  const taken = values.filter((value) => allowed?.includes(value) !== true);
  if (taken.length === 0) return undefined;
  return `${where}: may import types from ${to}, not ${taken.join(', ')}`;
}

/** Where a text is found, as `src/<path>:<line>`. */
export const linesWith = ({ path, text }: SourceFile, pattern: RegExp): string[] =>
  text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`src/${path}:${index + 1}`] : []));

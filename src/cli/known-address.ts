import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** In the data folder, beside the development key: they belong to the same gateway. */
const NAME = 'address';

/** Leaves word of where the gateway of this data folder listens, for commands that are run beside it. */
export const leaveAddress = (dataDir: string, url: string): Promise<void> =>
  writeFile(join(dataDir, NAME), `${url}\n`);

/** Where the gateway of this data folder listened when it last started; undefined where it left no word. */
export function knownAddress(dataDir: string): string | undefined {
  try {
    const url = readFileSync(join(dataDir, NAME), 'utf8').trim();
    return URL.canParse(url) ? url : undefined;
  } catch (error) {
    if (/^(ENOENT|ENOTDIR|EACCES)$/.test((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

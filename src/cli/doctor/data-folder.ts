import { randomUUID } from 'node:crypto';
import { access, constants, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Check, good, messageOf, wrong } from './check.ts';

/** Whether the data folder can be written, or made where it isn't there yet. It is not made for this. */
export const dataFolder: Check = {
  name: 'Data folder',
  async look({ config: { dataDir } }) {
    const advice = 'Give it to the user that runs the gateway, or set GESSO_DATA_DIR to another one.';
    try {
      const parent = await nearestFolder(dataDir);
      if (parent !== dataDir) {
        await access(parent, constants.W_OK | constants.X_OK);
        return good(`${dataDir} is not there yet; the first start makes it`);
      }
      const probe = join(dataDir, `.doctor-${randomUUID()}`);
      await writeFile(probe, 'gesso doctor', { flag: 'wx' });
      await rm(probe);
      return good(`${dataDir} can be written`);
    } catch (error) {
      return wrong(`${dataDir} can't be written: ${messageOf(error)}`, advice);
    }
  },
};

/** The folder itself, or the nearest above it that is there. @throws where one of them is a file. */
export async function nearestFolder(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return path;
    throw new Error(`${path} is no folder`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return nearestFolder(dirname(path));
  }
}

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Check, good, look, messageOf, wrong } from './check.ts';

/** Whether image URLs can be signed, and nobody else can read what signs them. */
export const urlSecret: Check = {
  name: 'URL secret',
  async look({ config }) {
    if (config.urlSecret !== undefined) return good('set by GESSO_URL_SECRET');
    const path = join(config.dataDir, 'url-secret');
    try {
      if ((await readFile(path, 'utf8')).trim() === '') {
        return wrong(
          `${path} is empty`,
          'Restore it from a backup, or remove it: every URL given out is dead then.',
        );
      }
      const { mode } = await stat(path);
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        return look(`${path} can be read by other users`, `chmod 600 ${path}`);
      }
      return good(`kept in ${path}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return good('the first start makes one');
      return wrong(`${path} can't be read: ${messageOf(error)}`, 'Run Gesso as the user that owns it.');
    }
  },
};

type FileSystem = typeof import('node:fs/promises');

/**
 * Writes a file so that it is there whole or not at all: aside, then renamed to its name.
 * @throws {Error} of the system, and where there are no files, as in a browser.
 */
export async function saveFile(path: string, bytes: Uint8Array): Promise<void> {
  const { open, rename, rm } = fileSystem();
  const aside = `${path}.${Math.random().toString(36).slice(2, 10)}.part`;
  try {
    const file = await open(aside, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

/** Asked of the process rather than imported, so that a bundle for browsers has nothing to resolve. */
function fileSystem(): FileSystem {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const found = process?.getBuiltinModule?.('node:fs/promises');
  if (found === undefined) {
    throw new TypeError('save() writes files, which only Node can. In a browser, use bytes() or url.');
  }
  return found as FileSystem;
}

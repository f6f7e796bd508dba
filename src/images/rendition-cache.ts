import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk, syncFile, unlessMissing } from './local-disk.ts';
import type { ServedImage } from './served-image.ts';

/** Renditions on the local disk, the least recently used leaving first. Throws `StorageError`. */
export interface RenditionCache {
  /** An open file, which an eviction can't take away any more; undefined where the rendition isn't here. */
  open(name: string, contentType: string): Promise<ServedImage | undefined>;
  put(name: string, bytes: Buffer): Promise<void>;
  /** Removes what was made before this time, in milliseconds since 1970, however often it is used. */
  sweep(madeBeforeMs: number): Promise<{ removed: number }>;
}

interface Entry {
  readonly fileName: string;
  readonly etag: string;
  readonly byteSize: number;
}

/** `<name>-<hash of the bytes>`: so the folder is the whole index, and the entity tag survives a restart. */
const FILE_NAME = /^([0-9a-f]{32}\.[a-z]+)-([0-9a-f]{32})$/;

export const createRenditionCache = async ({
  folder,
  maxBytes,
  maxEntries,
}: {
  /** Made if missing; belongs to one process at a time. */
  folder: string;
  maxBytes: number;
  maxEntries: number;
}): Promise<RenditionCache> => {
  // A Map remembers the order of insertion; whatever is used is inserted anew, so the first is the next to go.
  const entries = new Map<string, Entry>();
  let byteSize = 0;

  const remember = (name: string, entry: Entry): Entry | undefined => {
    const former = forget(name);
    entries.set(name, entry);
    byteSize += entry.byteSize;
    return former;
  };
  const forget = (name: string): Entry | undefined => {
    const entry = entries.get(name);
    if (entry !== undefined && entries.delete(name)) byteSize -= entry.byteSize;
    return entry;
  };
  const add = async (name: string, entry: Entry) => {
    const former = remember(name, entry);
    // Another release of the encoder may have made other bytes of the same picture.
    if (former !== undefined && former.fileName !== entry.fileName) await remove(former);
  };
  const remove = (entry: Entry) => rm(join(folder, entry.fileName), { force: true });
  const evict = async () => {
    for (const [name, entry] of entries) {
      // The newest stays, however large: somebody is about to open it.
      if (entries.size <= 1 || (byteSize <= maxBytes && entries.size <= maxEntries)) return;
      forget(name);
      await remove(entry);
    }
  };

  await onDisk('open the folder of renditions', async () => {
    await mkdir(folder, { recursive: true });
    for (const [name, entry] of await readEntries(folder)) await add(name, entry);
    await evict();
  });

  return {
    async open(name, contentType) {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      const file = await onDisk('open the rendition', () =>
        unlessMissing(() => open(join(folder, entry.fileName), 'r')),
      );
      if (file === undefined) {
        // Removed under us. Only this entry is forgotten: another may have taken its place meanwhile.
        if (entries.get(name) === entry) forget(name);
        return undefined;
      }
      if (entries.get(name) === entry) remember(name, entry);
      return {
        byteSize: entry.byteSize,
        contentType,
        etag: entry.etag,
        stream: async (range) => file.createReadStream({ ...range, highWaterMark: 256 * 1024 }),
        close: () => file.close(),
      };
    },

    put: (name, bytes) =>
      onDisk('keep the rendition', async () => {
        const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
        const fileName = `${name}-${hash}`;
        const aside = join(folder, `${randomUUID()}.part`);
        try {
          // Flushed, because its name vouches for its bytes, and is believed after a power cut.
          await writeFile(aside, bytes);
          await syncFile(aside);
          await rename(aside, join(folder, fileName));
        } finally {
          await rm(aside, { force: true });
        }
        await add(name, { fileName, etag: `"${hash}"`, byteSize: bytes.length });
        await evict();
      }),

    sweep: (madeBeforeMs) =>
      onDisk('sweep the renditions', async () => {
        let removed = 0;
        for (const [name, entry] of [...entries]) {
          const file = await unlessMissing(() => stat(join(folder, entry.fileName)));
          if (file !== undefined && file.mtimeMs > madeBeforeMs) continue;
          if (entries.get(name) === entry) forget(name);
          await remove(entry);
          removed += 1;
        }
        return { removed };
      }),
  };
};

/** What the folder holds, the longest unused first as far as the disk knows; removes what was left half written. */
const readEntries = async (folder: string): Promise<[name: string, entry: Entry][]> => {
  const found: { name: string; entry: Entry; writtenMs: number }[] = [];
  for (const fileName of await readdir(folder)) {
    const [, name, hash] = FILE_NAME.exec(fileName) ?? [];
    if (name === undefined) {
      if (fileName.endsWith('.part')) await rm(join(folder, fileName), { force: true });
      continue;
    }
    const file = await unlessMissing(() => stat(join(folder, fileName)));
    if (file === undefined) continue;
    const entry = { fileName, etag: `"${hash}"`, byteSize: file.size };
    found.push({ name, entry, writtenMs: file.mtimeMs });
  }
  return found
    .toSorted((one, other) => one.writtenMs - other.writtenMs)
    .map(({ name, entry }) => [name, entry]);
};

import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuditSink } from 'gesso';

/**
 * Appends the audit trail to a file, one line of JSON each. A batch counts as handed over when it is on the disk; after
 * a crash the last one may be there twice, with the same ids. The file is opened anew each time, so that it can be renamed.
 */
export function createFileSink({ path }: { path: string }): AuditSink {
  return {
    name: 'file',
    from: 'beginning',
    async write(events) {
      await using file = await open(path, 'a+', 0o600);
      const isNew = !(await endWithWholeLine(file));
      await file.appendFile(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
      await file.datasync();
      if (!isNew) return;
      // A new file is safe when its folder knows of it.
      await using folder = await open(dirname(path), 'r');
      await folder.sync();
    },
  };
}

/** Removes the half line that a crash may have left, and comes again. Returns whether there was anything at all. */
async function endWithWholeLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  const tail = Buffer.alloc(Math.min(size, 1024 * 1024));
  await file.read(tail, 0, tail.length, size - tail.length);
  const wholeLines = size - tail.length + tail.lastIndexOf('\n') + 1;
  if (wholeLines < size) await file.truncate(wholeLines);
  return size > 0;
}

import { appendFile, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { boundLog, logSize, readLogSince } from '../../../src/ledger/embedded/server-log.ts';
import { temporaryFolder } from './support/folders.ts';

describe("the server's log", () => {
  it('is put aside when it has grown too large, while the server goes on writing', async () => {
    const path = join(await temporaryFolder(), 'postgres.log');
    const writer = await open(path, 'a');
    for (const text of ['oldest\n', 'older\n']) {
      await writer.write(text);
      await boundLog(path, 5);
    }
    await writer.write('new\n');
    await boundLog(path, 5);
    await writer.close();
    expect(await readFile(path, 'utf8')).toBe('new\n');
    expect(await readFile(`${path}.1`, 'utf8')).toBe('older\n');
  });

  it('is not there before the first start', async () => {
    const path = join(await temporaryFolder(), 'postgres.log');
    await boundLog(path, 5);
    expect(await logSize(path)).toBe(0);
  });

  it('tells what was written since, at most 2,000 characters of it, and all when it was emptied', async () => {
    const path = join(await temporaryFolder(), 'postgres.log');
    await appendFile(path, 'before\n');
    const offset = await logSize(path);
    await appendFile(path, 'FATAL: after\n');
    expect(await readLogSince(path, offset)).toBe('FATAL: after');
    expect(await readLogSince(path, 1_000)).toBe('before\nFATAL: after');
    await appendFile(path, 'x'.repeat(5_000));
    expect(await readLogSince(path, offset)).toHaveLength(2_000);
  });
});

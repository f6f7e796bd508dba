import { appendFile, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from 'gesso';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileSink } from './file-sink.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-to-file-'));
  path = join(folder, 'audit.ndjson');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const lineOf = (id: string): AuditEvent => ({
  id,
  occurredAt: new Date('2030-05-01T12:00:00.000Z'),
  action: 'ATTEMPT_STARTED',
  clientId: undefined,
  requestId: 'request-1',
  generationId: undefined,
  attemptId: undefined,
  message: 'of two\nlines',
});
const write = (...ids: string[]) =>
  createFileSink({ path }).write(ids.map(lineOf), { signal: new AbortController().signal });
const idsIn = async (file: string) =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as AuditEvent).id);

describe('the file sink', () => {
  it('appends one line each, whatever is in it', async () => {
    await write('a', 'b');
    await write('c');
    expect(await idsIn(path)).toEqual(['a', 'b', 'c']);
  });

  it('removes the half line that a crash has left', async () => {
    await write('a');
    await appendFile(path, '{"id":"b","occurr');
    await write('b');
    expect(await idsIn(path)).toEqual(['a', 'b']);
  });

  it('goes on in a new file when the old one was renamed', async () => {
    await write('a');
    await rename(path, `${path}.1`);
    await write('b');
    expect(await idsIn(`${path}.1`)).toEqual(['a']);
    expect(await idsIn(path)).toEqual(['b']);
  });

  it('fails where it can’t write, so that the lines come again', async () => {
    await rm(folder, { recursive: true });
    await expect(write('a')).rejects.toThrow(/ENOENT/);
  });
});

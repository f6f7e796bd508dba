import { createHash } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { StagedPicture } from '../generation.ts';

/**
 * Writes the note that makes a staged picture complete: it appears beside the picture, last, so whoever finds it
 * after a crash knows that the picture is whole. A note that was cut short is no JSON, and counts as none.
 */
export const writeManifest = (path: string, picture: StagedPicture): void => {
  const { path: _local, ...manifest } = picture;
  writeFileSync(path, JSON.stringify(manifest));
};

/**
 * Reads back what `writeManifest` wrote, and the picture with it. Undefined when either is missing, or when they
 * disagree: nothing in staging was flushed, so after a power cut a file may have its name and not its bytes.
 *
 * @throws the disk's own errors, `ENOENT` where one of the two files is missing.
 */
export const readManifest = async (path: string, picturePath: string): Promise<StagedPicture | undefined> => {
  const manifest = parse(await readFile(path, 'utf8'));
  if (manifest === undefined) return undefined;
  if ((await stat(picturePath)).size !== manifest.byteSize) return undefined;
  if ((await hashFile(picturePath)) !== manifest.sha256) return undefined;
  return { ...manifest, path: picturePath };
};

const parse = (text: string): Omit<StagedPicture, 'path'> | undefined => {
  let value: Partial<Record<keyof StagedPicture, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { attemptId, byteSize, sha256, revisedPrompt, model } = value ?? {};
  if (typeof attemptId !== 'string' || typeof byteSize !== 'number' || typeof sha256 !== 'string') {
    return undefined;
  }
  if (typeof model !== 'string') return undefined;
  const prompt = typeof revisedPrompt === 'string' ? revisedPrompt : undefined;
  return { attemptId, byteSize, sha256, revisedPrompt: prompt, model };
};

const hashFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 256 * 1024 }), hash);
  return hash.digest('hex');
};

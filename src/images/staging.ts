import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidPictureError } from '../errors.ts';
import type { StagedPicture } from '../generation.ts';
import { inTurn } from './in-turn.ts';
import { createInspection, type Inspection } from './inspection.ts';
import { moveFile, onDisk, removeFile, unlessMissing } from './local-disk.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { removeOldFiles } from './old-files.ts';
import { createPartFile, type PartFile } from './part-file.ts';
import { createPlaces } from './places.ts';

/** What staging needs of a provider's answer. */
export interface ArrivingPicture {
  /** The picture's bytes; a block is ours until we ask for the next one. */
  readonly picture: AsyncIterable<Uint8Array>;
  /** Called once `picture` has ended. */
  readonly metadata: () => { readonly revisedPrompt: string | undefined };
  readonly model: string;
  readonly httpStatus: number;
}

/** The place on the local disk where pictures arrive. Every method throws `StorageError` when the disk fails. */
export interface Staging {
  /**
   * Reads a picture to its end, into a file. Resolves when the file is whole, every chunk checksum agrees, and a
   * restart of the process would find it again.
   *
   * @throws whatever `picture` throws, in which case nothing is kept;
   *   {InvalidPictureError} when the answer ended well but is no PNG: what came is kept aside, at `keptAt`.
   */
  drain(attemptId: string, answer: ArrivingPicture): Promise<StagedPicture>;
  /** The complete picture of this attempt, also one that a killed process left; its hash is checked again. */
  find(attemptId: string): Promise<StagedPicture | undefined>;
  /** Removes what is staged for this attempt, if anything is. */
  discard(attemptId: string): Promise<void>;
  /** Moves a complete picture to the rejected ones, for the operator, and says where it is. */
  keepAside(attemptId: string): Promise<string>;
  /** Removes what nobody came back for: files last written more than `olderThanMs` ago. */
  sweep(options: { olderThanMs: number }): Promise<{ removed: number }>;
  /** Removes what was kept aside for the operator before this time, in milliseconds since 1970. */
  sweepRejected(keptBeforeMs: number): Promise<{ removed: number }>;
}

export interface StagingOptions {
  /** Made if missing; belongs to one process at a time. */
  readonly folder: string;
  /** Where bytes go that are no picture. Made if missing; emptied only by `sweepRejected`. */
  readonly rejectedFolder: string;
  /** How many bodies are worked on at the same time. @default 16 */
  readonly drainsAtOnce?: number | undefined;
  /** How long a body may keep its place while its next block is awaited; see `inTurn`. @default 50 */
  readonly patienceMs?: number | undefined;
  /** Largest picture. @default 134_217_728 (128 MiB) */
  readonly maxByteSize?: number | undefined;
  /** Largest width, and largest height, in pixels. @default 16384 */
  readonly maxSide?: number | undefined;
  /** Largest width × height. @default 100_000_000 */
  readonly maxPixels?: number | undefined;
  /** @default Date.now */
  readonly now?: (() => number) | undefined;
}

export const createStaging = async ({
  folder,
  rejectedFolder,
  drainsAtOnce = 16,
  patienceMs = 50,
  maxByteSize = 128 * 1024 * 1024,
  maxSide,
  maxPixels,
  now = Date.now,
}: StagingOptions): Promise<Staging> => {
  const places = createPlaces(drainsAtOnce);
  await onDisk('make the staging folders', async () => {
    await mkdir(folder, { recursive: true });
    await mkdir(rejectedFolder, { recursive: true });
  });

  const filesOf = (attemptId: string) => {
    if (!/^[0-9A-Za-z-]{1,64}$/.test(attemptId)) throw new TypeError('An attempt id names no path.');
    return {
      part: join(folder, `${attemptId}.part`),
      picture: join(folder, `${attemptId}.png`),
      manifest: join(folder, `${attemptId}.json`),
      rejected: join(rejectedFolder, `${attemptId}.bin`),
    };
  };

  const receive = async (picture: AsyncIterable<Uint8Array>, part: PartFile, inspection: Inspection) => {
    for await (const block of inTurn(picture, { places, patienceMs })) {
      if (inspection.byteSize + block.length > maxByteSize) {
        throw new InvalidPictureError(`The provider's picture is larger than ${maxByteSize} bytes.`);
      }
      inspection.add(block);
      if (part.isEmpty && inspection.complete) await part.writeAtOnce(block);
      else await part.append(block);
    }
  };

  const drain: Staging['drain'] = async (attemptId, answer) => {
    const files = filesOf(attemptId);
    const part = createPartFile(files.part);
    const inspection = createInspection({ maxSide, maxPixels });
    try {
      await receive(answer.picture, part, inspection);
      const { byteSize, sha256, fault } = await inspection.finish();
      if (fault !== undefined) {
        throw new InvalidPictureError(`The provider's bytes are no whole PNG: ${fault}.`);
      }
      const { revisedPrompt } = answer.metadata();
      const picture = {
        attemptId,
        path: files.picture,
        byteSize,
        sha256,
        revisedPrompt,
        model: answer.model,
      };
      await part.finish(files.picture);
      await onDisk('note the staged picture', () => writeManifest(files.manifest, picture));
      return picture;
    } catch (error) {
      if (error instanceof InvalidPictureError) throw await refuse(error, answer, part, files.rejected);
      // What can't be removed now is left to the sweep: the error that we have is the one that matters.
      await part.remove().catch(() => undefined);
      throw error;
    }
  };

  return {
    drain,
    find: (attemptId) => {
      const { manifest, picture } = filesOf(attemptId);
      return onDisk('read the staged picture', () => unlessMissing(() => readManifest(manifest, picture)));
    },
    discard: (attemptId) => {
      const { manifest, picture } = filesOf(attemptId);
      return onDisk('remove the staged picture', async () => {
        // In this order, so that a manifest never speaks of a picture that is gone.
        removeFile(manifest);
        removeFile(picture);
      });
    },
    keepAside: (attemptId) => {
      const { manifest, picture, rejected } = filesOf(attemptId);
      return onDisk('keep the picture aside', async () => {
        await moveFile(picture, rejected);
        removeFile(manifest);
        return rejected;
      });
    },
    sweep: ({ olderThanMs }) =>
      onDisk('sweep the staging folder', () =>
        removeOldFiles(folder, /\.(part|png|json)$/, now() - olderThanMs),
      ),
    sweepRejected: (keptBeforeMs) =>
      onDisk('sweep the folder of rejected pictures', () =>
        removeOldFiles(rejectedFolder, /\.bin(\.part)?$/, keptBeforeMs),
      ),
  };
};

/** Keeps what came for the operator, and says so in the error. */
const refuse = async (
  error: InvalidPictureError,
  answer: ArrivingPicture,
  part: PartFile,
  path: string,
): Promise<InvalidPictureError> => {
  const httpStatus = error.httpStatus ?? answer.httpStatus;
  if (part.isEmpty) return new InvalidPictureError(error.message, { httpStatus });
  try {
    await part.moveTo(path);
  } catch (diskError) {
    // The verdict on the picture stands, and outweighs the failure to keep it.
    const reason = diskError instanceof Error ? diskError.message : String(diskError);
    return new InvalidPictureError(`${error.message} What came is not kept: ${reason}`, { httpStatus });
  }
  return new InvalidPictureError(error.message, { httpStatus, keptAt: path });
};

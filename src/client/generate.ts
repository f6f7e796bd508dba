import { beginOne, beginSeveral, withKey } from './begin.ts';
import type { Connection } from './connection.ts';
import { AbortedError, called, GessoError, telling } from './errors.ts';
import { follow } from './follow.ts';
import { type Generation, toGeneration, toRecord } from './generation.ts';
import { GeneratedImage } from './image.ts';
import type { GenerationFieldsFragment } from './operations.generated.ts';
import type {
  CallOptions,
  GenerateImageRequest,
  GenerateImagesRequest,
  WaitForSeveralOptions,
  WaitOptions,
} from './options.ts';
import { errorOfGeneration } from './results.ts';

/** One of several: an error here takes nothing from the others. */
export type GenerateImagesResult =
  | { readonly ok: true; readonly image: GeneratedImage }
  | { readonly ok: false; readonly error: GessoError };

export async function generateImage(
  connection: Connection,
  request: GenerateImageRequest,
  options: WaitOptions,
): Promise<GeneratedImage> {
  const keyed = withKey(request);
  return telling(keyed, async () => {
    const { fields, replayed } = await beginOne(connection, keyed, options);
    const isOld = replayed && mayBeOld(request);
    return imageOf(connection, fields.id, { known: fields, replayed: isOld, ...options });
  });
}

export async function generateImages(
  connection: Connection,
  request: GenerateImagesRequest,
  options: WaitForSeveralOptions,
): Promise<GenerateImagesResult[]> {
  const keyed = withKey(request);
  const { onProgress } = options;
  return telling(keyed, async () => {
    const begun = await beginSeveral(connection, keyed, options);
    const outcomes = begun.map((one, index) => {
      if (one instanceof GessoError) return Promise.reject(one);
      return imageOf(connection, one.fields.id, {
        known: one.fields,
        replayed: one.replayed && mayBeOld(request),
        ...options,
        onProgress: onProgress && ((generation) => onProgress(generation, index)),
      });
    });
    return Promise.all(outcomes.map((outcome) => settled(keyed, outcome)));
  });
}

/** A key that was made for the call is new, even where it had to be asked with twice. */
const mayBeOld = ({ idempotencyKey }: GenerateImageRequest): boolean => idempotencyKey !== undefined;

export async function startGeneration(
  connection: Connection,
  request: GenerateImageRequest,
  options: CallOptions,
): Promise<Generation> {
  const keyed = withKey(request);
  return telling(keyed, async () => {
    const { fields } = await beginOne(connection, keyed, options);
    return toGeneration(fields, connection);
  });
}

interface FollowOptions extends WaitOptions {
  /** As it was first heard of. */
  readonly known?: GenerationFieldsFragment;
  /** Whether it was there before the call. */
  readonly replayed: boolean;
}

/** Follows a generation to its end. */
export async function imageOf(
  connection: Connection,
  id: string,
  { known, replayed, onProgress, ...options }: FollowOptions,
): Promise<GeneratedImage> {
  let latest = known;
  const tell = (fields: GenerationFieldsFragment): void => {
    latest = fields;
    called('onProgress', () => onProgress?.(toGeneration(fields, connection)));
  };
  try {
    if (known !== undefined) tell(known);
    for await (const fields of follow(connection, id, { ...options, known })) tell(fields);
    if (latest === undefined) throw new Error('A generation was followed that told nothing.');
    if (latest.image === null) throw errorOfGeneration(latest, connection);
    return new GeneratedImage(latest.image, { generation: toRecord(latest), replayed, connection });
  } catch (error) {
    return telling(
      {
        idempotencyKey: latest?.idempotencyKey ?? undefined,
        generation: latest === undefined ? undefined : toGeneration(latest, connection),
      },
      () => Promise.reject(error),
    );
  }
}

async function settled(
  { idempotencyKey }: { idempotencyKey: string },
  outcome: Promise<GeneratedImage>,
): Promise<GenerateImagesResult> {
  try {
    return { ok: true, image: await telling({ idempotencyKey }, () => outcome) };
  } catch (error) {
    // An abort, or what nobody has foreseen, is the end of the whole call.
    if (!(error instanceof GessoError) || error instanceof AbortedError) throw error;
    return { ok: false, error };
  }
}

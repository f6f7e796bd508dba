import { GraphQLError } from 'graphql';
import { InvalidInputError, StorageError } from '../errors.ts';
import type { Image } from '../generation.ts';
import type { Context } from './context.ts';

/** Of fields, not of images: what is asked for twice is sent twice. */
export const MAX_INLINE_PICTURES = 100;
/** Ten of the largest canvas fit, at some 18 MB each. To write such an answer takes a core a second and a half. */
export const MAX_INLINE_MIB = 192;

/** Logged when the operation has been carried out, and so with all of its reasons: pino writes them by this name. */
class PicturesNotReadError extends StorageError {
  readonly errors: StorageError[] = [];
}

/** What one operation has asked for so far. */
interface InlinePictures {
  pictures: number;
  bytes: number;
  /** By the image's id. */
  readonly texts: Map<string, Promise<string>>;
  failure: PicturesNotReadError | undefined;
}
const operations = new WeakMap<Context, InlinePictures>();

/**
 * The PNG in base64, read once for an operation.
 *
 * @throws {InvalidInputError} beyond what one operation may have inline.
 * @throws {NotFoundError} when it was removed by age.
 */
export async function inlinePicture(image: Image, context: Context): Promise<string> {
  const asked = operations.get(context) ?? { pictures: 0, bytes: 0, texts: new Map(), failure: undefined };
  operations.set(context, asked);
  if (image.removedAt === undefined) charge(asked, image.byteSize);
  const known = asked.texts.get(image.id);
  const text = known ?? context.gateway.images.base64(image, context.signal);
  asked.texts.set(image.id, text);
  try {
    return await text;
  } catch (error) {
    throw error instanceof StorageError ? oneFailure(asked, error) : error;
  }
}

/** Before anything is read, by what the ledger says. */
function charge(asked: InlinePictures, byteSize: number): void {
  const bytes = asked.bytes + byteSize;
  if (asked.pictures === MAX_INLINE_PICTURES || bytes > MAX_INLINE_MIB * 1024 * 1024) {
    const message = `one operation has ${MAX_INLINE_PICTURES} pictures and ${MAX_INLINE_MIB} MiB of PNG inline at most; ask for \`url\`.`;
    throw new InvalidInputError([{ path: ['base64'], message }]);
  }
  asked.pictures += 1;
  asked.bytes = bytes;
}

/** A store that is away fails every field of an operation, which is one line in the log. */
function oneFailure(asked: InlinePictures, reason: StorageError): Error {
  const { failure } = asked;
  if (failure === undefined) {
    asked.failure = new PicturesNotReadError('Stored images could not be read.');
    asked.failure.errors.push(reason);
    return asked.failure;
  }
  if (!failure.errors.includes(reason)) failure.errors.push(reason);
  // Masked already: only the first is logged.
  return new GraphQLError('The gateway failed unexpectedly.', {
    extensions: { code: 'INTERNAL_SERVER_ERROR', http: { status: 500 } },
  });
}

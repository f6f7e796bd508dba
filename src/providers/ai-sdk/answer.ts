import { InvalidPictureError } from '../../errors.ts';
import type { ImageSize } from '../../generation.ts';
import type { PictureMetadata, ProviderAnswer } from '../provider.ts';
import { type CanvasOptions, differenceOf } from './canvas.ts';
import { bytesOf, toPng } from './picture.ts';
import type { Redact } from './redact.ts';
import { type ModelResult, revisedPromptOf, warningsOf } from './report.ts';

/** As large as the blocks of the other providers. */
const BLOCK_BYTES = 192 * 1024;
const MAX_WARNING = 300;

export interface AnswerOptions {
  readonly httpStatus: number;
  readonly model: string;
  readonly size: ImageSize;
  readonly canvas: CanvasOptions['canvas'];
  readonly maxPictureBytes: number;
  readonly redact: Redact | undefined;
  /** Throws where the generation was ended meanwhile. */
  readonly checkAborted: () => void;
  readonly toFailure: (error: unknown) => Error;
}

/** What the model resolved with, as the contract has it: the first picture in blocks, the rest at the end. */
export function answerOf(result: ModelResult, options: AnswerOptions): ProviderAnswer {
  const { httpStatus, model, size, canvas, maxPictureBytes, redact, checkAborted, toFailure } = options;
  let metadata: PictureMetadata | undefined;

  const firstBytes = (): Uint8Array => {
    try {
      return bytesOf(result.images[0] ?? '');
    } catch (error) {
      throw toFailure(error);
    }
  };

  async function* readPicture(): AsyncGenerator<Uint8Array, void, undefined> {
    const received = firstBytes();
    if (received.length === 0) throw new InvalidPictureError('The answer holds no picture.', { httpStatus });
    if (received.length > maxPictureBytes) {
      throw new InvalidPictureError('The picture is larger than allowed.', { httpStatus });
    }
    checkAborted();
    const { bytes, dimensions, warnings } = await toPng(received);
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      checkAborted();
      yield bytes.subarray(at, at + BLOCK_BYTES);
    }
    const difference = dimensions && differenceOf(size, canvas, dimensions);
    const revisedPrompt = revisedPromptOf(result);
    metadata = {
      revisedPrompt: revisedPrompt && (redact?.secret(revisedPrompt) ?? revisedPrompt),
      warnings: [...warningsOf(result), ...warnings, ...(difference === undefined ? [] : [difference])].map(
        (warning) => redact?.text(warning, MAX_WARNING) ?? warning.slice(0, MAX_WARNING),
      ),
    };
  }

  return {
    httpStatus,
    model,
    picture: readPicture(),
    metadata() {
      if (metadata === undefined) throw new Error('The metadata is known once the picture has been read.');
      return metadata;
    },
  };
}

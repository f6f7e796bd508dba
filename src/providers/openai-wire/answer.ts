import type { PictureMetadata, ProviderAnswer } from '../provider.ts';
import { type BlockPool, isFull, refresh } from './block.ts';
import { BodyError } from './body-error.ts';
import type { HttpReply } from './call.ts';
import type { Failures } from './failures.ts';
import { createImageJsonReader } from './image-json.ts';
import type { Redactor } from './redact.ts';

/** What an answer may cost, in bytes. What is larger counts as an answer without a picture. */
export interface AnswerLimits {
  /** The whole body. @default 256 MiB */
  readonly maxBodyBytes: number;
  /** The decoded picture. @default 128 MiB */
  readonly maxPictureBytes: number;
  /** The body without its pictures. @default 1 MiB */
  readonly maxSkeletonBytes: number;
}

export const DEFAULT_LIMITS: AnswerLimits = {
  maxBodyBytes: 256 * 1024 * 1024,
  maxPictureBytes: 128 * 1024 * 1024,
  maxSkeletonBytes: 1024 * 1024,
};

/** In UTF-16 code units. */
const MAX_WARNING = 200;

/** Turns a successful reply into the contract's answer: the picture in blocks, the rest at the end. */
export const readAnswer = ({
  reply,
  model,
  limits,
  blocks,
  failures,
  redactor,
  warningsOf,
}: {
  reply: HttpReply;
  model: string;
  limits: AnswerLimits;
  blocks: BlockPool;
  failures: Failures;
  redactor: Redactor;
  /** What the document says that was not done as asked, in the vendor's words. */
  warningsOf?: ((document: unknown) => readonly string[]) | undefined;
}): ProviderAnswer => {
  const json = createImageJsonReader(limits);
  let metadata: PictureMetadata | undefined;

  async function* readPicture(): AsyncGenerator<Uint8Array, void, undefined> {
    const block = blocks.take();
    let byteSize = 0;
    try {
      while (!json.ended()) {
        const chunks = await reply.body.read();
        if (chunks === undefined) break;
        for (const chunk of chunks) {
          byteSize += chunk.length;
          if (byteSize > limits.maxBodyBytes) throw new BodyError('BODY_TOO_LARGE');
          let at = 0;
          while (at < chunk.length && !json.ended()) {
            at = json.read(chunk, at, block);
            if (!isFull(block)) continue;
            yield block.bytes.subarray(0, block.length);
            refresh(block);
          }
        }
      }
      const { revisedPrompt, document } = json.finish();
      const warnings = warningsOf?.(document).map((warning) => redactor.text(warning, MAX_WARNING)) ?? [];
      // The document is whole: whatever still happens to the socket can't take the picture away.
      reply.body.release();
      if (block.length > 0) yield block.bytes.subarray(0, block.length);
      metadata = {
        revisedPrompt: revisedPrompt && redactor.secret(revisedPrompt),
        ...(warnings.length > 0 && { warnings }),
      };
    } catch (error) {
      throw failures.ofError(error, reply.status);
    } finally {
      blocks.giveBack(block);
      if (metadata === undefined) reply.body.destroy();
    }
  }

  const picture = readPicture();
  return {
    httpStatus: reply.status,
    model,
    picture: {
      [Symbol.asyncIterator]: () => ({
        next: () => picture.next(),
        return() {
          // A generator that was never started, or that waits for the socket, would not run its `finally` now.
          if (metadata === undefined) reply.body.destroy();
          return picture.return();
        },
      }),
    },
    metadata() {
      if (metadata === undefined) throw new Error('The metadata is known once the picture has been read.');
      return metadata;
    },
  };
};

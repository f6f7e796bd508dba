import type { Block } from './block.ts';
import { BodyError } from './body-error.ts';
import { createStringEnd, QUOTE } from './json-string.ts';
import { property } from './json-value.ts';
import { createPictureString, type PictureString } from './picture-string.ts';
import { createSkeleton } from './skeleton.ts';

/** Deeper than any answer; it bounds the memory that brackets can cost. */
const MAX_DEPTH = 256;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const WHITE_SPACE = [0x20, 0x09, 0x0a, 0x0d];

export interface ImageJsonReader {
  /**
   * Reads on in the document, decoding the picture into a block that is not full. Returns the index of the first
   * byte not read: the chunk's length, unless the document has ended or the block may be full.
   *
   * @throws {BodyError}
   */
  read(chunk: Buffer, from: number, block: Block): number;
  /** Whether the bracket that closes the document was read. What follows it is of no interest. */
  ended(): boolean;
  /**
   * To be called when the document or the body has ended: what the document says beside the picture, and the document,
   * in which each picture is an empty string.
   *
   * @throws {BodyError} `BODY_CUT`, `BODY_MALFORMED` or `NO_PICTURE`
   */
  finish(): { revisedPrompt: string | undefined; document: unknown };
}

type Container =
  | { readonly kind: 'array'; index: number }
  | { readonly kind: 'object'; key: string; keyNext: boolean };

/**
 * Reads an answer of the OpenAI images shape from raw bytes, in chunks of any size, without ever holding it:
 * `data[0].b64_json` is decoded as it comes, every other `b64_json` is skipped, and what is left is parsed as
 * JSON at the end, which is what proves the document well-formed. Of duplicates the first with bytes counts.
 */
export const createImageJsonReader = (limits: {
  /** Size of the decoded picture. */
  readonly maxPictureBytes: number;
  /** Size of everything else. */
  readonly maxSkeletonBytes: number;
}): ImageJsonReader => {
  const skeleton = createSkeleton({ maxBytes: limits.maxSkeletonBytes });
  const findStringEnd = createStringEnd();
  const containers: Container[] = [];
  let inside: 'structure' | 'key' | 'text' | 'skipped' | PictureString = 'structure';
  let keyStart = 0;
  let pictureFound = false;
  let ended = false;

  const isPicturePath = () => {
    const [root, list, item] = containers;
    return (
      containers.length === 3 &&
      root?.kind === 'object' &&
      root.key === 'data' &&
      list?.kind === 'array' &&
      list.index === 0 &&
      item?.kind === 'object' &&
      item.key === 'b64_json'
    );
  };

  const openString = (): typeof inside => {
    const container = containers.at(-1);
    if (container?.kind !== 'object') return 'text';
    if (container.keyNext) {
      keyStart = skeleton.byteSize() - 1;
      return 'key';
    }
    if (container.key !== 'b64_json') return 'text';
    return isPicturePath() && !pictureFound
      ? createPictureString({ maxBytes: limits.maxPictureBytes })
      : 'skipped';
  };

  const openContainer = (container: Container) => {
    if (containers.length === MAX_DEPTH) throw new BodyError('BODY_TOO_LARGE');
    containers.push(container);
  };

  const readStructure = (chunk: Buffer, from: number): number => {
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (WHITE_SPACE.includes(byte)) {
        skeleton.pushSpace();
        continue;
      }
      skeleton.pushByte(byte);
      const container = containers.at(-1);
      if (byte === QUOTE) {
        inside = openString();
        return at + 1;
      }
      if (byte === OPEN_BRACE) openContainer({ kind: 'object', key: '', keyNext: true });
      else if (byte === OPEN_BRACKET) openContainer({ kind: 'array', index: 0 });
      else if (byte === COLON && container?.kind === 'object') container.keyNext = false;
      else if (byte === COMMA && container?.kind === 'object') container.keyNext = true;
      else if (byte === COMMA && container?.kind === 'array') container.index += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        containers.pop();
        if (containers.length === 0) {
          ended = true;
          return at + 1;
        }
      }
    }
    return chunk.length;
  };

  const readString = (chunk: Buffer, from: number): number => {
    const quote = findStringEnd(chunk, from);
    const end = quote === -1 ? chunk.length : quote + 1;
    if (inside !== 'skipped') skeleton.push(chunk, from, end);
    else if (quote !== -1) skeleton.pushByte(QUOTE);
    if (quote === -1) return end;
    const container = containers.at(-1);
    if (inside === 'key' && container?.kind === 'object') {
      container.key = String(parseJson(skeleton.text(keyStart)));
    }
    inside = 'structure';
    return end;
  };

  const readPicture = (picture: PictureString, chunk: Buffer, from: number, block: Block): number => {
    const at = picture.read(chunk, from, block);
    if (picture.closed()) {
      pictureFound = picture.byteSize() > 0;
      skeleton.pushByte(QUOTE);
      inside = 'structure';
    }
    return at;
  };

  return {
    ended: () => ended,
    read(chunk, from, block) {
      let at = from;
      while (at < chunk.length && !ended) {
        if (typeof inside === 'object') return readPicture(inside, chunk, at, block);
        at = inside === 'structure' ? readStructure(chunk, at) : readString(chunk, at);
      }
      return at;
    },
    finish() {
      const text = skeleton.text();
      const cut = containers.length > 0 || inside !== 'structure' || text.trim() === '';
      if (cut) throw new BodyError('BODY_CUT');
      const document = parseJson(text);
      if (!pictureFound) throw new BodyError('NO_PICTURE');
      return { revisedPrompt: revisedPromptOf(document), document };
    },
  };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // Without the parser's error: it quotes the text.
    throw new BodyError('BODY_MALFORMED');
  }
};

/** `data[0].revised_prompt`, where it is a text that says something; without NUL and lone surrogates. */
const revisedPromptOf = (document: unknown): string | undefined => {
  const text = property(property(property(document, 'data'), '0'), 'revised_prompt');
  return typeof text === 'string' && text !== '' ? text.toWellFormed().replaceAll('\0', '') : undefined;
};

import type { Connection } from './connection.ts';
import { download } from './download.ts';
import { DownloadError } from './errors.ts';
import type { GenerationRecord } from './generation.ts';
import { toInput } from './input.ts';
import {
  ImageDocument,
  type ImageFieldsFragment,
  ImageRenditionDocument,
  type ImageTransformInput,
} from './operations.generated.ts';
import type { CallOptions } from './options.ts';
import { saveFile } from './save-file.ts';

/** How the SDK came by an image. */
export interface ImageOrigin {
  readonly generation: GenerationRecord;
  readonly replayed: boolean;
  readonly connection: Connection;
}

/** A stored image, measured from its decoded pixels. */
export class GeneratedImage {
  readonly id: string;
  /** Signed location of the PNG. It expires; the methods here get themselves a new one. */
  readonly url: string;
  /** Decoded, in pixels. */
  readonly width: number;
  /** Decoded, in pixels. */
  readonly height: number;
  /** Of the PNG. */
  readonly byteSize: number;
  readonly contentType: string;
  /** Of the PNG, lowercase hex. */
  readonly sha256: string;
  /** What the model really drew, where the provider says. */
  readonly revisedPrompt: string | undefined;
  /** The revised prompt, else the prompt. */
  readonly altText: string;
  /** ThumbHash, base64: a placeholder to paint while it loads. */
  readonly thumbhash: string | undefined;
  /** When it was stored. */
  readonly createdAt: Date;
  /** When its bytes were removed by age. */
  readonly removedAt: Date | undefined;
  /** The request that made it. */
  readonly generation: GenerationRecord;
  /** Whether it was there before this call: nothing was sent upstream. */
  readonly replayed: boolean;
  /** What it was asked for with. */
  readonly idempotencyKey: string | undefined;
  readonly #connection: Connection;

  constructor(fields: ImageFieldsFragment, { generation, replayed, connection }: ImageOrigin) {
    this.id = fields.id;
    this.url = fields.url;
    this.width = fields.width;
    this.height = fields.height;
    this.byteSize = fields.byteSize;
    this.contentType = fields.contentType;
    this.sha256 = fields.sha256;
    this.revisedPrompt = fields.revisedPrompt ?? undefined;
    this.altText = fields.altText;
    this.thumbhash = fields.thumbhash ?? undefined;
    this.createdAt = new Date(fields.createdAt);
    this.removedAt = fields.removedAt === null ? undefined : new Date(fields.removedAt);
    this.generation = generation;
    this.replayed = replayed;
    this.idempotencyKey = generation.idempotencyKey;
    this.#connection = connection;
  }

  /** The PNG, checked against its size and, where Web Crypto is there, its SHA-256. @throws {DownloadError} */
  bytes(options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { id, url, byteSize, sha256 } = this;
    const connection = this.#connection;
    const freshUrl = async (): Promise<string> => {
      const { image } = await connection.send(ImageDocument, { id }, options);
      if (image === null) throw gone();
      return image.url;
    };
    return download(connection, { url, freshUrl, promised: { byteSize, sha256 } }, options);
  }

  /** Writes the PNG to a file, whole or not at all. Only in Node. @throws {DownloadError} */
  async save(path: string, options: CallOptions = {}): Promise<void> {
    await saveFile(path, await this.bytes(options));
  }

  /** A resized or converted variant, made when it is first fetched. It is never enlarged. */
  async rendition(transform: ImageTransform, options: CallOptions = {}): Promise<ImageRendition> {
    const { id } = this;
    const connection = this.#connection;
    const variables = { id, transform: toInput<ImageTransformInput>(transform) };
    const { image } = await connection.read(ImageRenditionDocument, variables, options);
    if (image === null) throw gone();
    return new ImageRendition(image.rendition, connection, async (again) => {
      const { image: now } = await connection.send(ImageRenditionDocument, variables, again);
      if (now === null) throw gone();
      return now.rendition.url;
    });
  }
}

/** What a rendition looks like. */
export type ImageTransform = {
  readonly [Name in keyof ImageTransformInput]?: NonNullable<ImageTransformInput[Name]> | undefined;
};

/** A resized or converted variant of an image. */
export class ImageRendition {
  /** Signed location. It expires; the methods here get themselves a new one. */
  readonly url: string;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  readonly contentType: string;
  readonly #connection: Connection;
  readonly #freshUrl: (options: CallOptions) => Promise<string>;

  constructor(
    fields: { url: string; width: number; height: number; contentType: string },
    connection: Connection,
    freshUrl: (options: CallOptions) => Promise<string>,
  ) {
    this.url = fields.url;
    this.width = fields.width;
    this.height = fields.height;
    this.contentType = fields.contentType;
    this.#connection = connection;
    this.#freshUrl = freshUrl;
  }

  /** @throws {DownloadError} */
  bytes(options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { url } = this;
    // Its bytes are the gateway's to make: nothing is known of them before.
    return download(this.#connection, { url, freshUrl: this.#freshUrl, promised: undefined }, options);
  }

  /** Writes it to a file, whole or not at all. Only in Node. @throws {DownloadError} */
  async save(path: string, options: CallOptions = {}): Promise<void> {
    await saveFile(path, await this.bytes(options));
  }
}

const gone = () => new DownloadError('There is no such image any more.', { httpStatus: 404 });

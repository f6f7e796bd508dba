import type { ImageSize, PictureRequest } from '../generation.ts';

/**
 * The contract of an image provider: one file that turns a `PictureRequest` into one call upstream.
 *
 * A provider does not retry, does not measure and does not store: it sends once, tells truthfully what
 * became of it, and hands on the picture's bytes as they come.
 */
export interface Provider {
  /** Unique among the configured providers; lowercase letters, digits and hyphens. */
  readonly name: string;
  /** The models it may use; the first is the default. */
  readonly models: readonly string[];
  /** The sizes it takes; a request for another is refused before it gets here. */
  readonly sizes: readonly ImageSize[];

  /**
   * Sends one request upstream. Resolves once a successful answer has begun, with the body still coming.
   *
   * @throws {ProviderFailure} with `NOT_ACCEPTED`, `REJECTED` or `UNKNOWN`. An abort by `signal` is
   *   `NOT_ACCEPTED` when no byte had been sent, and `UNKNOWN` after that.
   */
  generate(request: PictureRequest, options: GenerateOptions): Promise<ProviderAnswer>;

  /** Frees sockets. Called once, at shutdown. */
  close(): Promise<void>;
}

export interface GenerateOptions {
  /** Aborts the call, also while the picture is being read. */
  readonly signal: AbortSignal;
  /** Recorded before this call; to be sent as `X-Request-Id`. */
  readonly requestId: string;
}

export interface ProviderAnswer {
  readonly httpStatus: number;
  readonly model: string;
  /**
   * The picture's own bytes (no base64, no JSON), in order, to be read once. A slow reader slows the socket.
   * A block is the reader's to keep until it asks for the next one, not longer.
   *
   * Ends when the whole answer has been read and was well-formed. Throws `ProviderFailure` (`UNKNOWN`) when the
   * answer is cut or malformed in transit, and `InvalidPictureError` when it is complete but holds no picture.
   * Leaving the loop early frees the socket.
   */
  readonly picture: AsyncIterable<Uint8Array>;
  /** What else the answer said. To be called after `picture` ended; before that it throws. */
  readonly metadata: () => PictureMetadata;
}

export interface PictureMetadata {
  /** The prompt that the model really drew (`revised_prompt`), where the provider said. */
  readonly revisedPrompt: string | undefined;
  /**
   * What was asked for and not done as asked, or done to the picture, a sentence each; nothing secret in them. The gateway
   * logs them. A provider that refuses what it can't honour has none.
   */
  readonly warnings?: readonly string[];
}

import type { Readable } from 'node:stream';

/**
 * The contract of a place that keeps finished images. Keys are made of lowercase letters, digits, hyphens and
 * dots, with `/` between folders, no part of which begins with a dot; a driver refuses any other with a `TypeError`,
 * so that no key leaves its root.
 *
 * Every method throws `StorageError` when the store fails, and when it does not answer in bounded time; "not there"
 * is not a failure.
 */
export interface BlobStore {
  /** For messages and logs; holds no secret. */
  readonly name: string;

  /**
   * Keeps the bytes of a complete local file under `key`. When it resolves they survive a power cut. The local file
   * stays: it is removed by its owner once the ledger has committed. Writing a key again replaces it as a whole: no
   * reader ever sees half a blob.
   */
  putFile(key: string, localPath: string, options: PutOptions): Promise<void>;

  /** Size in bytes, or undefined where there is no such blob. */
  stat(key: string): Promise<{ byteSize: number } | undefined>;

  /**
   * Opens a blob, or the bytes `start` to `end` of it, both included, counted from 0. Undefined where there is
   * no such blob. `byteSize` is the whole blob's. The stream must be read or destroyed; it ends with an error where
   * bytes are missing.
   *
   * @throws {RangeError} when `start` lies behind the last byte.
   */
  open(
    key: string,
    range?: { start: number; end: number },
  ): Promise<{ byteSize: number; stream: Readable } | undefined>;

  /**
   * Makes a URL that opens the blob at the store itself, without the gateway, to whoever has it. It does not ask
   * whether there is such a blob. Undefined for a store that nobody can reach but us.
   */
  readonly signUrl: ((key: string, options: SignUrlOptions) => Promise<SignedStoreUrl>) | undefined;

  /** Removes a blob; one that is not there counts as removed. */
  delete(key: string): Promise<void>;

  /** Resolves when the store can be written to. Cheap: `/readyz` asks it every few seconds. */
  check(): Promise<void>;

  /** Lets go of connections. What is open is cut. */
  close(): Promise<void>;
}

export interface PutOptions {
  /** A media type, as `image/png`. */
  readonly contentType: string;
  /**
   * The SHA-256 of the file in lowercase hex, from whoever knows it already. A driver that sends the bytes
   * elsewhere has them refused there when they are others; without it, it reads the file once more to hash it.
   */
  readonly sha256?: string | undefined;
}

export interface SignUrlOptions {
  /** The only method that the URL is good for. */
  readonly method: 'GET' | 'HEAD';
  /** The URL is good no longer than this; it may be good for less. */
  readonly expiresAt: Date;
  /** The media type of the answer, whatever was said when the blob was put. */
  readonly contentType: string;
  /** Letters, digits, hyphens and dots: what a browser would save it as. */
  readonly fileName: string;
}

export interface SignedStoreUrl {
  readonly url: string;
  readonly expiresAt: Date;
}

import type { Readable } from 'node:stream';

/**
 * The contract of a place that keeps finished images. Keys are made of lowercase letters, digits, hyphens and
 * dots, with `/` between folders, no part of which begins with a dot; a driver refuses any other with a `TypeError`,
 * so that no key leaves its root.
 *
 * Every method throws `StorageError` when the store fails; "not there" is not a failure.
 */
export interface BlobStore {
  /** For messages and logs; holds no secret. */
  readonly name: string;

  /**
   * Keeps the bytes of a complete local file under `key`. When it resolves they survive a power cut. The local file
   * stays: it is removed by its owner once the ledger has committed. Writing a key again replaces it as a whole: no
   * reader ever sees half a blob.
   */
  putFile(key: string, localPath: string, options: { contentType: string }): Promise<void>;

  /** Size in bytes, or undefined where there is no such blob. */
  stat(key: string): Promise<{ byteSize: number } | undefined>;

  /**
   * Opens a blob, or the bytes `start` to `end` of it, both included, counted from 0. Undefined where there is
   * no such blob. `byteSize` is the whole blob's. The stream must be read or destroyed.
   *
   * @throws {RangeError} when `start` lies behind the last byte.
   */
  open(
    key: string,
    range?: { start: number; end: number },
  ): Promise<{ byteSize: number; stream: Readable } | undefined>;

  /** Removes a blob; one that is not there counts as removed. */
  delete(key: string): Promise<void>;

  /** Resolves when the store can be written to. Used by `/readyz`. */
  check(): Promise<void>;
}

/** Longer texts are never kept, in UTF-16 units; a document within the limits (see graphql.ts) is shorter. */
export const MAX_KEPT_LENGTH = 20_000;
/** What an entry takes beside its texts, counted as if it were text, so that a flood of tiny ones is bounded too. */
export const ENTRY_LENGTH = 100;

/** What was kept of texts, the ones that were used last: bounded by their length together, whoever sends how many. */
export interface TextCache<Kept> {
  get(key: string): Kept | undefined;
  /** `length` of the text that is kept beside its key, in UTF-16 units. @default 0: the key is the text */
  set(key: string, kept: Kept, length?: number): void;
}

/** `maxLength` of all keys and texts together, each entry counted with `ENTRY_LENGTH` more. */
export function createTextCache<Kept>({ maxLength }: { readonly maxLength: number }): TextCache<Kept> {
  // A Map remembers the order in which its keys came: the first is the one that was not used for longest.
  const entries = new Map<string, { readonly kept: Kept; readonly length: number }>();
  let totalLength = 0;

  function remove(key: string): void {
    totalLength -= entries.get(key)?.length ?? 0;
    entries.delete(key);
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.kept;
    },
    set(key, kept, textLength = 0) {
      remove(key);
      if (Math.max(key.length, textLength) > MAX_KEPT_LENGTH) return;
      const length = key.length + textLength + ENTRY_LENGTH;
      entries.set(key, { kept, length });
      totalLength += length;
      for (const oldest of entries.keys()) {
        if (totalLength <= maxLength) return;
        remove(oldest);
      }
    },
  };
}

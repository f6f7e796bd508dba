/** What became of one request that reached the sandbox. Its dates and flags fill in as it goes on. */
export interface JournalEntry {
  /** Counts every request, from 1. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  /** As received, except `authorization`: it only says `accepted` or `refused`, so that no key is kept. */
  readonly headers: Readonly<Record<string, string>>;
  /** The `X-Request-Id` header. */
  readonly requestId: string | undefined;
  /** The bytes that arrived, at most one more than the 1 MiB that is allowed. */
  readonly body: Buffer;
  /** The body as parsed; undefined where it is not JSON. */
  readonly json: unknown;
  /** `json.prompt`, where it is a string. */
  readonly prompt: string | undefined;
  /** Whether it was a POST to the generation endpoint; the control surface is never in the journal. */
  readonly call: boolean;
  readonly receivedAt: Date;
  /** The kind of behaviour it met; undefined where it was refused before that. */
  behaviour: string | undefined;
  /** When the sandbox took it and made its picture, whether or not the answer ever arrived. */
  billedAt: Date | undefined;
  /** The HTTP status whose headers were sent. */
  status: number | undefined;
  /** When the answer was handed over whole, or the connection ended. */
  finishedAt: Date | undefined;
  /** Whether the client went away before the sandbox was done with it. */
  clientLeft: boolean;
  /** What went wrong in the sandbox itself, for instance in a standing rule that threw; it answered 500 then. */
  error: unknown;
}

export type JournalFilter = (entry: JournalEntry) => boolean;

/** The sandbox's own account of what it was asked and what it billed: the judge in every test of Gesso. */
export interface Journal {
  /** Oldest first. */
  readonly entries: readonly JournalEntry[];
  /** How many old entries were dropped because the journal was full; 0 unless that happened. */
  readonly dropped: number;
  /** Requests that are open now. */
  readonly open: number;
  /** The most requests that were ever open at once, since the last `clear`. */
  readonly peakOpen: number;
  /** The entries for which a picture was made and billed, oldest first. */
  billed(filter?: JournalFilter): readonly JournalEntry[];
  /** The entries that called the generation endpoint, refused ones included, oldest first. */
  calls(filter?: JournalFilter): readonly JournalEntry[];
  /** Forgets all entries; requests that are open go on unrecorded. */
  clear(): void;
  /**
   * Resolves with the calls once at least `count` of them match.
   * @throws {Error} when that does not come true within `timeoutMs`.
   */
  waitFor(count: number, options?: WaitOptions): Promise<readonly JournalEntry[]>;
}

export interface WaitOptions {
  /** @default 5000 */
  readonly timeoutMs?: number;
  /** Which calls count, for instance `(entry) => entry.billedAt !== undefined`. @default all */
  readonly where?: JournalFilter;
}

/** The sandbox's side of the journal. */
export interface JournalWriter {
  readonly journal: Journal;
  /** Counts a request as open, from its headers on. */
  opened(): void;
  closed(): void;
  /** Records a request whose body was read, or broke off. */
  add(arrival: Arrival): JournalEntry;
  /** Changes an entry and wakes those who wait for it. */
  update(entry: JournalEntry, change: Partial<Course>): void;
}

/** How a request goes on after it arrived. */
type Course = Pick<JournalEntry, 'behaviour' | 'billedAt' | 'status' | 'finishedAt' | 'clientLeft' | 'error'>;

/** A request as it arrived. */
export type Arrival = Omit<JournalEntry, 'number' | keyof Course>;

/** @param maxEntries how many entries are kept; after that the oldest go. */
export function createJournal(maxEntries: number): JournalWriter {
  let entries: JournalEntry[] = [];
  let counted = 0;
  let dropped = 0;
  let open = 0;
  let peakOpen = 0;
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  const all: JournalFilter = () => true;

  const journal: Journal = {
    get entries() {
      return entries;
    },
    get dropped() {
      return dropped;
    },
    get open() {
      return open;
    },
    get peakOpen() {
      return peakOpen;
    },
    billed: (filter = all) => entries.filter((entry) => entry.billedAt !== undefined && filter(entry)),
    calls: (filter = all) => entries.filter((entry) => entry.call && filter(entry)),
    clear: () => {
      entries = [];
      dropped = 0;
      peakOpen = open;
    },
    waitFor: (count, { timeoutMs = 5000, where = all } = {}) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly JournalEntry[]>();
      const look = (): void => {
        const calls = journal.calls(where);
        if (calls.length < count) return;
        settle();
        resolve(calls);
      };
      const timer = setTimeout(() => {
        settle();
        const seen = journal.calls(where).length;
        reject(new Error(`The sandbox saw ${seen} of ${count} calls within ${timeoutMs} ms.`));
      }, timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        watchers.delete(look);
      };
      watchers.add(look);
      look();
      return promise;
    },
  };

  return {
    journal,
    opened: () => {
      open += 1;
      peakOpen = Math.max(peakOpen, open);
    },
    closed: () => {
      open -= 1;
    },
    add: (arrival) => {
      counted += 1;
      const entry: JournalEntry = {
        number: counted,
        ...arrival,
        behaviour: undefined,
        billedAt: undefined,
        status: undefined,
        finishedAt: undefined,
        clientLeft: false,
        error: undefined,
      };
      entries.push(entry);
      // A tenth at a time, because shifting a long array for every entry is slow.
      if (entries.length > maxEntries) {
        const excess = Math.max(entries.length - maxEntries, Math.floor(maxEntries / 10));
        entries.splice(0, excess);
        dropped += excess;
      }
      wake();
      return entry;
    },
    update: (entry, change) => {
      Object.assign(entry, change);
      wake();
    },
  };
}

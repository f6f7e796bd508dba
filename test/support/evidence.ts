/**
 * What the judge of a load on several replicas looks at. Three accounts of the same events, written by three parties:
 * the clients, the ledger and the upstream.
 */
export interface Evidence {
  /** What the clients wanted. */
  readonly intents: readonly Intent[];
  /** Every final answer that a client got, in the order that it got them. */
  readonly told: readonly Answer[];
  /** The answers to the same requests once all was over, for those whose key is held. */
  readonly again: readonly Answer[];
  /** SHA-256 of what the URL of each image led to, by image id; undefined where it led nowhere. */
  readonly downloads: ReadonlyMap<string, string | undefined>;
  /** The upstream's journal. */
  readonly calls: readonly Call[];
  readonly generations: readonly LedgerGeneration[];
  /** How often a generation may be sent at most. */
  readonly attemptsAtMost: number;
}

/** One image that a client wants, by whatever number of requests. Its prompt is no other intent's. */
export interface Intent {
  readonly client: string;
  readonly key: string;
  readonly prompt: string;
  readonly delivery: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE';
}

export interface Answer {
  readonly intent: Intent;
  /** The member of the union, for instance `GenerateImageSuccess`. */
  readonly typename: string;
  /** A UUID, not the global id. */
  readonly generationId: string | undefined;
  readonly image: { readonly id: string; readonly sha256: string; readonly url: string } | undefined;
  /** Whether the same request can lead to something else later: its key is free. */
  readonly retryable: boolean;
}

/** A request that reached the upstream. */
export interface Call {
  /** The `X-Request-Id`. */
  readonly requestId: string | undefined;
  readonly prompt: string | undefined;
  readonly billed: boolean;
  /** Of the picture that was made for it; undefined where none was. */
  readonly sha256: string | undefined;
}

export interface LedgerGeneration {
  readonly id: string;
  /** The client's name. */
  readonly client: string;
  readonly key: string | null;
  readonly keyHeld: boolean;
  readonly prompt: string;
  readonly delivery: Intent['delivery'];
  readonly status: string;
  readonly finishedAt: Date | null;
  /** Which process ended it, in which claim of its job. */
  readonly runner: string | null;
  /** Oldest first. */
  readonly attempts: readonly LedgerAttempt[];
  readonly image: LedgerImage | undefined;
  /** Whether its job is still to be done. */
  readonly openJob: boolean;
  /** How many lines of the audit trail say that it ended. */
  readonly endingLines: number;
}

export interface LedgerAttempt {
  readonly id: string;
  readonly number: number;
  readonly requestId: string;
  readonly outcome: string;
  /** Why it failed, in a word; `CUT_OFF` where its replica died. */
  readonly errorCode: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export interface LedgerImage {
  readonly id: string;
  readonly client: string;
  readonly attemptId: string;
  readonly sha256: string;
}

import type { Attempt, Generation } from '../generation.ts';

/** A job as it was fetched: settling and touching name this very claim, never the bare id. */
export interface Job {
  /** The generation's id. */
  readonly id: string;
  /** Counts claims; together with the id it names this one. */
  readonly retryCount: number;
  /** Whose queue it is in. */
  readonly provider: string;
  /** Whose generation it is. */
  readonly clientId: string;
}

/** One replica's hold on one generation. Every write of the run carries `runner`, the fence. */
export interface Run {
  readonly job: Job;
  readonly runner: string;
  /** Of the HTTP request that made the generation. */
  readonly requestId: string;
  readonly generation: Generation;
  /** Attempts on record when the run began, oldest first. */
  readonly attemptsMade: readonly Attempt[];
  readonly deadlineAt: Date;
}

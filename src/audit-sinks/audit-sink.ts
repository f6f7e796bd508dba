import type { AuditEvent } from '../ledger/audit.ts';

/** Takes the audit trail elsewhere: into a file, a log pipeline, a SIEM. */
export interface AuditSink {
  /**
   * Lowercase letters, digits and hyphens. How far the sink has got is kept under it: with another name it is a new sink.
   */
  readonly name: string;
  /**
   * Where a sink begins that is new: at what is written from now on, or at the first line of the trail.
   *
   * @default 'now'
   */
  readonly from?: 'now' | 'beginning';
  /**
   * Resolves once these lines are safe, 500 at most. They come in order, one batch at a time, over all replicas. Each line
   * comes at least once: after a crash, or a write that failed, the same lines come again, with the same ids.
   *
   * Rejects when they are not safe; they are then handed over again, after a while. Nothing else waits for it.
   *
   * @param options.signal aborted when it took too long (30 s), or when the gateway stops; the write must then end
   */
  write(events: readonly AuditEvent[], options: { readonly signal: AbortSignal }): Promise<void>;
}

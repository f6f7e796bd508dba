/**
 * The advisory locks of Gesso in its database, all in one place, so that no two are one. The numbers mean nothing, but that
 * nobody else is likely to have them.
 */
export const LOCKS = {
  /** Held while queues are installed. */
  start: 4_773_696_001,
  /** Held by the transaction that begins generations, where a limit over all replicas is set. */
  limits: 4_773_696_002,
  /** Held by the replica that removes what is too old, for as long as it is at it. */
  retention: 4_773_696_003,
} as const;

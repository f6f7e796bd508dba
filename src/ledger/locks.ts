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
  /** Held while the index of the trail is made that audit sinks read by. */
  auditIndex: 4_773_696_004,
  /** With the number of a sink as a second one: held by the replica that hands the trail to it, for as long as it does. */
  auditSinks: 477_369_605,
} as const;

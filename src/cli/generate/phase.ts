import type { Generation } from '../../client/index.ts';

/** Where an image is on its way, for people. */
export interface Phase {
  /** What it waits for; at most 32 columns unless it failed. */
  readonly text: string;
  /** `attempt 2 at bettertoken`, from the first call on. */
  readonly attempt: string | undefined;
  readonly kind: 'waiting' | 'working' | 'trouble' | 'done' | 'failed';
}

/** @param generation as it was last seen; undefined before the gateway has answered. */
export function phaseOf(generation: Generation | undefined): Phase {
  if (generation === undefined) return { text: 'asking the gateway', attempt: undefined, kind: 'waiting' };
  const { status, attempts, failure, delivery } = generation;
  const last = attempts.at(-1);
  const attempt = last === undefined ? undefined : `attempt ${last.number} at ${last.provider}`;
  switch (status) {
    case 'QUEUED':
      // One that was tried before waits for its next provider, or was handed over by a replica that stopped.
      return { text: last === undefined ? 'queued behind others' : 'queued again', attempt, kind: 'waiting' };
    case 'RUNNING':
      break;
    case 'SUCCEEDED':
      return { text: 'done', attempt, kind: 'done' };
    case 'CANCELED':
      return { text: 'canceled', attempt, kind: 'failed' };
    default:
      return { text: failure?.code.toLowerCase().replaceAll('_', ' ') ?? 'failed', attempt, kind: 'failed' };
  }
  if (last === undefined) return { text: 'starting', attempt, kind: 'working' };
  if (last.outcome === 'PENDING') return { text: 'drawing', attempt, kind: 'working' };
  if (last.outcome === 'SUCCEEDED') return { text: 'storing', attempt, kind: 'working' };
  // Nothing is sent again; its end is being written.
  const isOver = last.outcome === 'REJECTED' || (last.outcome === 'UNKNOWN' && delivery === 'AT_MOST_ONCE');
  if (isOver) return { text: 'ending', attempt, kind: 'working' };
  const reason = last.httpStatus ?? last.errorCode;
  return {
    text: `waiting to try again${reason === undefined ? '' : ` after ${reason}`}`,
    attempt,
    kind: 'trouble',
  };
}

import { type Limits, roomBeside } from '../ledger/limits.ts';
import type { Queue } from '../ledger/queue.ts';
import type { Job } from '../ledger/run.ts';
import type { Claimant, Grant, Turns } from '../ledger/turns.ts';
import { createShares } from './shares.ts';

export interface TakingOptions {
  readonly queue: Queue;
  readonly turns: Turns;
  /** The names of those whose jobs this replica takes. */
  readonly providers: readonly string[];
  /** Undefined where nothing is limited. */
  readonly limits: Limits | undefined;
  /** Begins jobs, and resolves with the number of those that a limit refused, which are given back. */
  readonly begin: (jobs: readonly Job[]) => Promise<number>;
}

/**
 * Which jobs are next. As long as all that waits can be taken, in the order in which it came, by one cheap statement for
 * each provider. From the moment when something may be left behind, and wherever a limit is set, by shares.
 */
export function createTaking({ queue, turns, providers, limits, begin }: TakingOptions) {
  const shares = createShares();
  const isServed = ({ provider }: Claimant): boolean => providers.includes(provider);
  // What waited before this replica came may be a crowd.
  let crowded = true;
  let limited = limits !== undefined;

  async function takeAll(places: number): Promise<number> {
    let left = places;
    for (const provider of providers) {
      if (left === 0) break;
      const jobs = await queue.fetch(provider, left);
      left -= jobs.length;
      if (jobs.length > 0) await begin(jobs);
    }
    crowded = left === 0;
    return left;
  }

  async function takeByShares(places: number): Promise<number> {
    // An end that is told of while we count must not be missed.
    limited = limits !== undefined;
    let left = places;
    let refused = 0;
    let claimants = await turns.claimants();
    // Who turns out to have less than was granted leaves the rest to the others.
    for (let isShort = true; isShort && refused === 0; ) {
      const running = claimants.map((claimant) => ({
        provider: claimant.provider,
        // What was lost by a provider that is not served here may never go on, and holds no place.
        count: claimant.running + (isServed(claimant) ? claimant.lost : 0),
      }));
      const grants = shares.shareOut(left, roomBeside(running, limits), claimants.filter(isServed));
      if (grants.length === 0) break;
      const jobs = await turns.take(grants);
      if (jobs.length > 0) refused = await begin(jobs);
      left -= jobs.length;
      isShort = jobs.length < grants.reduce((sum, { fresh, lost }) => sum + fresh + lost, 0);
      claimants = claimants.map((claimant) => afterwards(claimant, grants, jobs));
    }
    crowded = claimants.some((claimant) => isServed(claimant) && (claimant.waits || claimant.lost > 0));
    limited = limits !== undefined && (refused > 0 || (crowded && left > 0));
    return refused > 0 ? places : left;
  }

  return {
    /** Takes up to so many jobs and begins them. Resolves with whether there may be more that could be taken now. */
    async take(places: number): Promise<boolean> {
      const left = crowded || limits !== undefined ? await takeByShares(places) : await takeAll(places);
      return left === 0;
    },
    /** Whether something waits that only a limit keeps from being taken: it can be when any generation ends anywhere. */
    get limited(): boolean {
      return limited;
    },
  };
}

/** What the claimant has open after it was granted something, and these jobs were found. */
function afterwards(claimant: Claimant, grants: readonly Grant[], jobs: readonly Job[]): Claimant {
  const isOwn = ({ provider, clientId }: Grant | Job) =>
    provider === claimant.provider && clientId === claimant.clientId;
  const grant = grants.find(isOwn);
  if (grant === undefined) return claimant;
  const found = jobs.filter(isOwn).length;
  const running = claimant.running + found;
  if (found < grant.fresh + grant.lost) return { ...claimant, running, waits: false, lost: 0 };
  return { ...claimant, running, lost: claimant.lost - grant.lost };
}

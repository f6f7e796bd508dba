import type { Room } from '../ledger/limits.ts';
import type { Claimant, Grant } from '../ledger/turns.ts';

type Tally = { -readonly [Key in keyof Grant]: Grant[Key] };

/**
 * Gives free places to those who wait: each to the one who has the fewest, and among equals to the first. Nobody gets one
 * while somebody who waits has fewer, and none is left free while somebody can use it. What was lost by another replica
 * goes first: it has its room under the limits already, and its time is running.
 *
 * Counted for each provider by itself, or a client with much at one would never get to another one that is scarce.
 */
export function shareOut(places: number, room: Room, claimants: readonly Claimant[]): Grant[] {
  const tallies = claimants.map((claimant) => ({
    claimant,
    grant: {
      provider: claimant.provider,
      clientId: claimant.clientId,
      fresh: 0,
      lost: 0,
    } satisfies Tally as Tally,
    has: claimant.running,
  }));
  for (let left = places; left > 0; left--) {
    let next: (typeof tallies)[number] | undefined;
    for (const tally of tallies) {
      const { claimant, grant } = tally;
      const canUse = grant.lost < claimant.lost || (claimant.waits && room.has(claimant.provider));
      if (canUse && (next === undefined || tally.has < next.has)) next = tally;
    }
    if (next === undefined) break;
    next.has += 1;
    if (next.grant.lost < next.claimant.lost) {
      next.grant.lost += 1;
    } else {
      next.grant.fresh += 1;
      room.take(next.claimant.provider);
    }
  }
  return tallies.map(({ grant }) => grant).filter(({ fresh, lost }) => fresh + lost > 0);
}

/**
 * Shares, remembering whose turn it was: who was served longest ago comes first. Where there are fewer places than
 * clients all have equally few, and the same ones would be served for ever.
 */
export function createShares() {
  const lastTurns = new Map<string, number>();
  let turn = 0;
  const keyOf = ({ provider, clientId }: { provider: string; clientId: string }) => `${provider}/${clientId}`;

  return {
    shareOut(places: number, room: Room, claimants: readonly Claimant[]): Grant[] {
      const lastTurn = (claimant: Claimant): number => lastTurns.get(keyOf(claimant)) ?? 0;
      const grants = shareOut(
        places,
        room,
        claimants.toSorted((a, b) => lastTurn(a) - lastTurn(b)),
      );
      // Who has nothing open any more need not be remembered.
      const open = new Set(claimants.map(keyOf));
      for (const key of lastTurns.keys()) if (!open.has(key)) lastTurns.delete(key);
      for (const grant of grants) lastTurns.set(keyOf(grant), ++turn);
      return grants;
    },
  };
}

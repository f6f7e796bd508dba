import { ProviderFailure } from './errors.ts';

export interface Health {
  readonly status: 'AVAILABLE' | 'DEGRADED' | 'UNAVAILABLE';
  /** When the last call ended. */
  readonly checkedAt: Date | undefined;
}

/** After so many failures in a row a provider counts as unavailable. */
const UNAVAILABLE_AFTER = 5;

/** Judges a provider by the calls that were made to it, and makes none of its own: each would be paid for. */
export function createHealth({ now }: { now: () => Date }) {
  let failuresInRow = 0;
  let checkedAt: Date | undefined;
  return {
    /** Watches one call. */
    async watch<Result>(call: () => Promise<Result>): Promise<Result> {
      try {
        const result = await call();
        failuresInRow = 0;
        return result;
      } catch (error) {
        // A refused prompt says nothing against the provider; a refused key does, to whoever looks here.
        const refusedPrompt =
          error instanceof ProviderFailure && error.outcome === 'REJECTED' && error.rejection !== 'OPERATOR';
        failuresInRow = refusedPrompt ? 0 : failuresInRow + 1;
        throw error;
      } finally {
        checkedAt = now();
      }
    },
    read: (): Health => ({
      status:
        failuresInRow === 0 ? 'AVAILABLE' : failuresInRow < UNAVAILABLE_AFTER ? 'DEGRADED' : 'UNAVAILABLE',
      checkedAt,
    }),
  };
}
